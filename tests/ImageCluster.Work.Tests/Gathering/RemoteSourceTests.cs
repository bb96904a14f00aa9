using ImageCluster.Imaging;
using ImageCluster.Imaging.Storage.Http;
using ImageCluster.Imaging.Storage.ObjectStore;
using ImageCluster.Imaging.Storage.Protocols;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Manifests;
using ImageCluster.Jobs.Plans;
using ImageCluster.Testing.Archives;
using ImageCluster.Testing.Http;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;
using ImageCluster.Work.Gathering;
using ImageCluster.Work.Roots;
using ImageCluster.Work.Secrets;

namespace ImageCluster.Work.Tests.Gathering;

/// <summary>Sources in roots that are addresses.</summary>
public sealed class RemoteSourceTests : IDisposable
{
    private static readonly HttpSettings Quick = new() { UseProxy = false, Retries = 0 };

    private readonly TempDirectory _lab = new();
    private readonly S3TestServer _store = new();
    private readonly StorageProtocol[] _protocols;

    public RemoteSourceTests() => _protocols =
    [
        new HttpProtocol(Quick, HttpCredentials.None),
        new ObjectStoreProtocol(new S3Settings
        {
            Endpoint = new Uri(_store.Address),
            Region = S3TestServer.Region,
            Credentials = new S3Credentials(S3TestServer.AccessKey, S3TestServer.SecretKey),
            Http = Quick,
        }),
    ];

    public void Dispose()
    {
        _store.Dispose();
        _lab.Dispose();
    }

    [Fact]
    public void ObjectsAreSelectedByPatternsAndAppliancesEntered()
    {
        _store["bucket/vms/a.raw"] = new byte[1024];
        _store["bucket/vms/deep/b.raw"] = new byte[1024];
        _store["bucket/vms/notes.txt"] = new byte[10];
        _store["bucket/vms/web.ova"] = OvaBuilder.Ova(("disk1.raw", GuestContent.Make(4096, 1)));
        _store["bucket/other/c.raw"] = new byte[1024];
        RootMap roots = Roots("s3://bucket/vms");
        IReadOnlyList<FoundSource> found = Scan(roots, "include: '**/*.raw'");
        Assert.Equal(["a.raw", "deep/b.raw", "web.ova/disk1.raw"], found.Select(source => source.Name.Path));
        SourceInspector inspector = new(roots.Files, roots.Allowed, allowProbedBacking: false, roots.Protocols);
        foreach (FoundSource source in found)
        {
            SourceFacts facts = inspector.Inspect(source, BackingChain.Flatten, CancellationToken.None);
            Assert.Null(facts.Problem);
        }

        using OpenedSource disk = inspector.Open(found[2]);
        byte[] read = new byte[4096];
        disk.Disk.Read(0, read);
        Assert.Equal(GuestContent.Make(4096, 1), read);
        Assert.Equal(["s3://bucket/vms/web.ova"], disk.Watch.Files);
    }

    [Fact]
    public void AChangedObjectIsNoLongerTheSame()
    {
        _store["bucket/a.raw"] = new byte[1024];
        RootMap roots = Roots("s3://bucket");
        FoundSource source = Assert.Single(Scan(roots, "files: [a.raw]"));
        string fingerprint;
        using (OpenedSource opened = new SourceInspector(roots.Files, roots.Allowed, allowProbedBacking: false, roots.Protocols).Open(source))
        {
            fingerprint = opened.Watch.Fingerprint;
            opened.Watch.RequireUnchanged();
        }

        Assert.True(SourceWatch.IsStill(fingerprint, roots.Protocols));
        _store["bucket/a.raw"] = [.. new byte[1023], 1];
        Assert.False(SourceWatch.IsStill(fingerprint, roots.Protocols));
    }

    [SkippableFact]
    public void AChainStaysInItsRoot()
    {
        QemuTools.Require();
        Directory.CreateDirectory(_lab["vms"]);
        QemuTools.Img("create", "-q", "-f", "qcow2", _lab["vms/base.qcow2"], "1M");
        File.Copy(_lab["vms/base.qcow2"], _lab["base.qcow2"]);
        foreach ((string name, string backing) in new[] { ("good", "base.qcow2"), ("parent", "../base.qcow2"), ("local", _lab["base.qcow2"]), ("bucket", "s3://other/base.qcow2"), ("web", "http://127.0.0.1:1/base.qcow2") })
        {
            QemuTools.Img("create", "-q", "-u", "-f", "qcow2", "-b", backing, "-F", "qcow2", _lab[$"vms/{name}.qcow2"], "1M");
        }

        foreach (string file in Directory.GetFiles(_lab["vms"]))
        {
            _store[$"bucket/vms/{Path.GetFileName(file)}"] = File.ReadAllBytes(file);
        }

        _store["bucket/base.qcow2"] = _store["other/base.qcow2"] = File.ReadAllBytes(_lab["base.qcow2"]);
        RootMap roots = Roots("s3://bucket/vms");
        SourceInspector inspector = new(roots.Files, roots.Allowed, allowProbedBacking: false, roots.Protocols);
        foreach (FoundSource source in Scan(roots, "include: '*.qcow2'"))
        {
            bool isGood = source.Name.Path is "good.qcow2" or "base.qcow2";
            if (isGood)
            {
                inspector.Open(source).Dispose();
            }
            else
            {
                Assert.Equal(ImageErrorKind.Policy, Assert.Throws<ImageException>(() => inspector.Open(source)).Kind);
            }
        }
    }

    [Fact]
    public void AWebServersFilesAreNamedNotListed()
    {
        byte[] content = GuestContent.Make(8192, 1);
        using HttpTestServer server = new(query => query.Path == "/vms/a.raw" ? HttpReply.File(query, content) : new HttpReply(404));
        RootMap roots = Roots($"{server.Address}/vms");
        FoundSource[] found = [.. Scan(roots, "files: [a.raw, gone.raw]")];
        SourceInspector inspector = new(roots.Files, roots.Allowed, allowProbedBacking: false, roots.Protocols);
        using (OpenedSource opened = inspector.Open(found[0]))
        {
            Assert.Equal(8192, opened.Disk.VirtualSize);
        }

        Assert.Contains("error: 404", inspector.Inspect(found[1], BackingChain.Flatten, CancellationToken.None).Problem, StringComparison.Ordinal);
        GatheringException e = Assert.Throws<GatheringException>(() => Scan(roots, "include: '*.raw'"));
        Assert.Contains("is a server, which is not searched", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("s3://bucket/x", "", "")]
    [InlineData("nbd://host", "", "")]
    [InlineData("https://host/x", "", "nothing can be written there")]
    [InlineData("ova:///x", "", "nothing can be written there")]
    [InlineData("s3://bucket/x", ", backing: keep", "needs a directory")]
    [InlineData("/dev/vg0", ", backing: keep", "needs a directory")]
    public void TargetsGoWhereSomethingCanBeWritten(string root, string more, string refusal)
    {
        MigrationManifest manifest = ManifestParser.Parse($"version: 1\nname: x\nsources:\n  - {{ root: ./src, files: [a] }}\ntarget: {{ root: '{root}', format: qcow2{more} }}\n");
        if (refusal.Length == 0)
        {
            Assert.Equal(root, ManifestRoots.Of(manifest, _lab.Path, SecretStore.None).Of(root));
            return;
        }

        Assert.Contains(refusal, Assert.Throws<GatheringException>(() => ManifestRoots.Of(manifest, _lab.Path, SecretStore.None)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ARootsNameLeadsToItsAddress()
    {
        RootMap roots = new(new Dictionary<string, string> { ["store"] = "s3://bucket/vms", ["out"] = _lab.Path });
        Assert.Equal("s3://bucket/vms/a/b.raw", roots.PathOf(new ImageName("store", "a/b.raw")));
        Assert.Equal("s3://bucket/vms", roots.AddressOf("store"));
        Assert.Null(roots.AddressOf("out"));
        Assert.Equal(new ImageName("store", "a/b.raw"), roots.NameOf("s3://bucket/vms/a/b.raw"));
        Assert.Null(roots.NameOf("s3://other/vms/a/b.raw"));
        Assert.Equal(new ImageName("out", "x.raw"), roots.NameOf(_lab["x.raw"]));
    }

    private static IReadOnlyList<FoundSource> Scan(RootMap roots, string selection) =>
        new SourceScanner(Manifest(selection), roots).Scan(CancellationToken.None);

    private static MigrationManifest Manifest(string selection) =>
        ManifestParser.Parse($"version: 1\nname: x\nsources:\n  - {{ root: src, {selection} }}\ntarget: {{ root: out, format: raw }}\n");

    private RootMap Roots(string address) => new(
        new Dictionary<string, string> { ["src"] = address, ["out"] = Directory.CreateDirectory(_lab["out"]).FullName }, protocols: _protocols);
}
