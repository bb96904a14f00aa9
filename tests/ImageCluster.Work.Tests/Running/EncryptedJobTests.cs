using System.Collections.Immutable;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Jobs.Manifests;
using ImageCluster.Testing.Qemu;
using ImageCluster.Work.Secrets;
using ImageCluster.Work.Tests.Support;

namespace ImageCluster.Work.Tests.Running;

/// <summary>Jobs on encrypted images, whose passwords a worker finds by the names of secrets.</summary>
public sealed class EncryptedJobTests : IDisposable
{
    private static readonly ImmutableSortedDictionary<string, string> Luks =
        ImmutableSortedDictionary<string, string>.Empty.Add("encrypt.format", "luks").Add("encrypt.iter-time", "10");

    private readonly WorkLab _lab = new();

    public EncryptedJobTests()
    {
        Directory.CreateDirectory(_lab["secrets"]);
        File.WriteAllText(_lab["secrets/old"], "open sesame");
        File.WriteAllText(_lab["secrets/new"], "friend");
    }

    public void Dispose() => _lab.Dispose();

    [SkippableTheory]
    [InlineData(VerifyMode.Compare)]
    [InlineData(VerifyMode.Digest)]
    public void AnEncryptedSourceBecomesAPlainTarget(VerifyMode verify)
    {
        AddEncrypted("a.qcow2", 600 << 20);
        Done(new ConvertSpec
        {
            Source = WorkLab.In("a.qcow2"),
            Target = WorkLab.Out("b.qcow2"),
            TargetFormat = "qcow2",
            Verify = verify,
            Secrets = Named((WorkLab.In("a.qcow2"), "old")),
        });
        QemuTools.Img("compare", "-f", "raw", "-F", "qcow2", _lab["in/a.qcow2.raw"], _lab["out/b.qcow2"]);
        _lab.AssertClean();
    }

    [SkippableTheory]
    [InlineData("qcow2", VerifyMode.Digest)]
    [InlineData("qcow2", VerifyMode.Compare)]
    [InlineData("luks", VerifyMode.Compare)]
    public void APlainSourceBecomesAnEncryptedTarget(string format, VerifyMode verify)
    {
        QemuTools.Require();
        _lab.AddRaw("in/a.raw", 600 << 20);
        JobDriver driver = Done(new ConvertSpec
        {
            Source = WorkLab.In("a.raw"),
            SourceFormat = "raw",
            Target = WorkLab.Out("b.img"),
            TargetFormat = format,
            Options = format == "luks" ? ImmutableSortedDictionary<string, string>.Empty.Add("iter-time", "10") : Luks,
            Verify = verify,
            Secrets = Named((WorkLab.Out("b.img"), "new")),
        });
        Assert.True(format != "qcow2" || driver.Results.Count(done => done.Stage == StageKind.Copy) == 2, "an encrypted qcow2 is filled by shards");
        string key = format == "luks" ? "key-secret" : "encrypt.key-secret";
        Decrypted($"driver={format},{key}=s,file.filename={_lab["out/b.img"]}", "new", "out/plain.raw");
        QemuTools.Img("compare", "-f", "raw", "-F", "raw", _lab["in/a.raw"], _lab["out/plain.raw"]);
        _lab.AssertClean();
    }

    [SkippableFact]
    public void WhatCannotBeOpenedIsSaid()
    {
        AddEncrypted("a.qcow2", 1 << 20);
        ConvertSpec spec = new() { Source = WorkLab.In("a.qcow2"), Target = WorkLab.Out("b.qcow2"), TargetFormat = "qcow2" };
        Assert.Contains("name the secret", Failure(spec), StringComparison.Ordinal);
        Assert.Contains("Invalid password", Failure(spec with { Secrets = Named((WorkLab.In("a.qcow2"), "new")) }), StringComparison.Ordinal);
        Assert.Contains("There is no secret 'gone' here", Failure(spec with { Secrets = Named((WorkLab.In("a.qcow2"), "gone")) }), StringComparison.Ordinal);
        Assert.Contains("There is no secret 'gone' here", Failure(spec with
        {
            Options = Luks,
            Secrets = Named((WorkLab.In("a.qcow2"), "old"), (WorkLab.Out("b.qcow2"), "gone")),
        }), StringComparison.Ordinal);
        Assert.False(File.Exists(_lab["out/b.qcow2"]));
    }

    [SkippableFact]
    public void EncryptedImagesAreComparedCreatedAndChanged()
    {
        AddEncrypted("a.qcow2", 10 << 20);
        JobDriver compare = Done(new CompareSpec
        {
            First = WorkLab.In("a.qcow2"),
            Second = WorkLab.In("a.qcow2.raw"),
            SecondFormat = "raw",
            Secrets = Named((WorkLab.In("a.qcow2"), "old")),
        });
        Assert.Null(compare.Job.FirstDifference);
        ImageName name = WorkLab.In("new.qcow2");
        var secrets = Named((name, "new"));
        Done(new ChangeSpec { Image = name, Change = UsePurpose.Create, Format = "qcow2", Size = 10 << 20, Options = Luks, Secrets = secrets });
        Done(new ChangeSpec { Image = name, Change = UsePurpose.Resize, Format = "qcow2", Size = 20 << 20, Secrets = secrets });
        Done(new ChangeSpec { Image = name, Change = UsePurpose.SnapshotCreate, Format = "qcow2", Snapshot = "s", Secrets = secrets });
        // The password is another from now on; its slot is the second, and the first is emptied.
        Done(new ChangeSpec
        {
            Image = name,
            Change = UsePurpose.Amend,
            Format = "qcow2",
            Options = ImmutableSortedDictionary<string, string>.Empty.Add("encrypt.state", "active").Add("encrypt.new-secret", "old").Add("encrypt.iter-time", "10"),
            Secrets = secrets,
        });
        Decrypted($"driver=qcow2,encrypt.key-secret=s,file.filename={_lab["in/new.qcow2"]}", "old", "in/plain.raw");
        Assert.Equal(20 << 20, new FileInfo(_lab["in/plain.raw"]).Length);
    }

    [SkippableFact]
    public void AnEncryptedChainIsCommittedAndRebased()
    {
        const long Size = 600 << 20;
        AddEncrypted("base.qcow2", Size);
        ImageName top = WorkLab.In("top.qcow2");
        ChangeSpec overlay = new()
        {
            Image = top,
            Change = UsePurpose.Create,
            Format = "qcow2",
            Backing = WorkLab.In("base.qcow2"),
            BackingFormat = "qcow2",
            Options = Luks,
            Secrets = Named((top, "old"), (WorkLab.In("base.qcow2"), "old")),
        };
        Done(overlay);
        Write("in/top.qcow2", "write -P 7 1M 1M", "write -P 8 590M 64k");
        File.Copy(_lab["in/base.qcow2.raw"], _lab["in/expected.raw"]);
        QemuTools.Io(_lab["in/expected.raw"], "raw", "write -P 7 1M 1M", "write -P 8 590M 64k");
        Done(new CommitSpec { Top = top, TopFormat = "qcow2", Secrets = Named((top, "old")) });
        Decrypted($"driver=qcow2,encrypt.key-secret=s,file.filename={_lab["in/base.qcow2"]}", "old", "in/committed.raw");
        QemuTools.Img("compare", "-f", "raw", "-F", "raw", _lab["in/expected.raw"], _lab["in/committed.raw"]);
        // Onto a plain image of other bytes: what differs comes into the encrypted one.
        _lab.AddRaw("in/plain.raw", Size, seed: 9);
        Done(new RebaseSpec { Image = top, Format = "qcow2", Backing = WorkLab.In("plain.raw"), BackingFormat = "raw", Secrets = Named((top, "old")) });
        Decrypted($"driver=qcow2,encrypt.key-secret=s,file.filename={_lab["in/top.qcow2"]}", "old", "in/rebased.raw");
        QemuTools.Img("compare", "-f", "raw", "-F", "raw", _lab["in/expected.raw"], _lab["in/rebased.raw"]);
    }

    private void Write(string image, params string[] commands)
    {
        ToolResult result = QemuTools.TryIoOpts(
            $"driver=qcow2,encrypt.key-secret=s,file.filename={_lab[image]},backing.driver=qcow2,backing.encrypt.key-secret=s,backing.file.filename={_lab["in/base.qcow2"]}",
            ["--object", $"secret,id=s,file={_lab["secrets/old"]}"], commands);
        Assert.True(result.ExitCode == 0, result.Error + result.Output);
    }

    private static ImmutableSortedDictionary<ImageName, string> Named(params (ImageName Image, string Secret)[] secrets) =>
        secrets.ToImmutableSortedDictionary(secret => secret.Image, secret => secret.Secret);

    // And beside it what it holds, plain. Not by QEMU: it measures its processor for a second of its time, which a busy machine does not give it.
    private void AddEncrypted(string name, long size)
    {
        QemuTools.Require();
        _lab.AddRaw($"in/{name}.raw", size);
        Done(new ConvertSpec
        {
            Source = WorkLab.In($"{name}.raw"),
            SourceFormat = "raw",
            Target = WorkLab.In(name),
            TargetFormat = "qcow2",
            Options = Luks,
            Verify = VerifyMode.None,
            Secrets = Named((WorkLab.In(name), "old")),
        });
    }

    private void Decrypted(string image, string secret, string plain) => QemuTools.Img(
        "convert", "--object", $"secret,id=s,file={_lab[$"secrets/{secret}"]}", "--image-opts", image, "-O", "raw", _lab[plain]);

    private JobDriver Driver(JobSpec spec) => new(spec, _lab.Roots) { Secrets = new SecretStore(_lab["secrets"], static _ => null) };

    private JobDriver Done(JobSpec spec)
    {
        JobDriver driver = Driver(spec);
        JobEnd end = driver.Run();
        Assert.True(end.Outcome == JobOutcome.Succeeded, end.Reason);
        return driver;
    }

    private string Failure(JobSpec spec)
    {
        JobEnd end = Driver(spec).Run();
        Assert.Equal(JobOutcome.Failed, end.Outcome);
        return end.Reason;
    }
}
