using ImageCluster.Jobs.Manifests;
using ImageCluster.Testing.Archives;
using ImageCluster.Testing.Storage;
using ImageCluster.Work.Gathering;
using ImageCluster.Work.Roots;
using ImageCluster.Work.Secrets;

namespace ImageCluster.Work.Tests.Gathering;

public sealed class SourceScannerTests : IDisposable
{
    private readonly TempDirectory _lab = new();

    public void Dispose() => _lab.Dispose();

    [Fact]
    public void FilesAreFoundOnceInTheirOrderAndOurOwnAreNot()
    {
        foreach (string file in new[]
        {
            "b/2.img", "a/1.img", "c.img", "c.txt", "a/skip/x.img", ".imagecluster/old.img", "a/.t.img.12345678.imagecluster-partial/t.img",
        })
        {
            Add(file);
        }

        Directory.CreateSymbolicLink(_lab["src/again"], _lab["src/a"]);
        Assert.Equal(["c.img", "a/1.img", "b/2.img"], Scan("""
              - { root: ./src, files: [c.img] }
              - { root: ./src, include: ["**/*.img", "a/*.img"], exclude: ["a/skip/**"] }
            """).Select(found => found.Name.Path));
    }

    [Fact]
    public void WhatIsNamedAndNotThereHasItsProblem()
    {
        Directory.CreateDirectory(_lab["src/directory"]);
        IReadOnlyList<FoundSource> found = Scan("  - { root: ./src, files: [missing.img, directory] }");
        Assert.Equal(["there is no such file", "is a directory, not an image"], found.Select(source => source.Problem));
    }

    [Fact]
    public void ANameThatCouldDriveTheTerminalIsAProblemAndShownAsText()
    {
        Add("evil\u001b[2J.img");
        FoundSource found = Assert.Single(Scan("  - { root: ./src, include: '*.img' }"));
        Assert.Contains("control character", found.Problem, StringComparison.Ordinal);
        Assert.Equal(@"evil\x1b[2J.img", found.Name.Path);
    }

    [Fact]
    public void ARootThatIsNotThereIsNamed()
    {
        GatheringException e = Assert.Throws<GatheringException>(() => Scan("  - { root: ./nowhere, include: '*.img' }"));
        Assert.Contains("nowhere: the directory of root './nowhere' is not there", e.Message, StringComparison.Ordinal);
        Assert.Contains("root 'vmware' has no directory",
            Assert.Throws<GatheringException>(() => Scan("  - { root: vmware, include: '*.img' }")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("include: '**/*.ova'", "vms/web.ova/disk1.vmdk vms/web.ova/disk2.vmdk")]
    [InlineData("include: '**/*.vmdk'", "vms/web.ova/disk1.vmdk vms/web.ova/disk2.vmdk")]
    [InlineData("include: '**/*1.vmdk'", "vms/web.ova/disk1.vmdk")]
    [InlineData("include: '**/*.ova', exclude: '**/disk1.vmdk'", "vms/web.ova/disk2.vmdk")]
    [InlineData("include: '**/*.vmdk', exclude: '**/disk1.vmdk'", "vms/web.ova/disk2.vmdk")]
    [InlineData("include: '**/*.img'", "")]
    [InlineData("files: [vms/web.ova]", "vms/web.ova/disk1.vmdk vms/web.ova/disk2.vmdk")]
    [InlineData("files: [vms/web.ova/disk2.vmdk]", "vms/web.ova/disk2.vmdk")]
    public void AnApplianceIsADirectoryOfItsDisks(string selection, string expected)
    {
        Directory.CreateDirectory(_lab["src/vms"]);
        File.WriteAllBytes(_lab["src/vms/web.ova"], OvaBuilder.Ova(("disk1.vmdk", new byte[512]), ("disk2.vmdk", new byte[512])));
        IReadOnlyList<FoundSource> found = Scan($"  - {{ root: ./src, {selection} }}");
        Assert.Equal(expected, string.Join(' ', found.Select(source => source.Name.Path)));
        Assert.All(found, source => Assert.Null(source.Problem));
    }

    [Fact]
    public void AnApplianceThatCannotBeReadIsAProblem()
    {
        Directory.CreateDirectory(_lab["src"]);
        File.WriteAllBytes(_lab["src/a.ova"], new byte[700]);
        File.WriteAllBytes(_lab["src/b.ova"], OvaBuilder.Ova(("disk1.vmdk", new byte[512])).AsSpan(0, 2500));
        File.WriteAllBytes(_lab["src/c.ova"], OvaBuilder.Ova());
        IReadOnlyList<FoundSource> found = Scan("  - { root: ./src, include: '*.ova' }");
        Assert.Equal(["a.ova", "b.ova", "c.ova"], found.Select(source => source.Name.Path));
        Assert.All(found, source => Assert.NotNull(source.Problem));
    }

    private void Add(string file)
    {
        string path = _lab[$"src/{file}"];
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, new byte[512]);
    }

    private IReadOnlyList<FoundSource> Scan(string sources)
    {
        MigrationManifest manifest = ManifestParser.Parse($"version: 1\nname: x\nsources:\n{sources}\ntarget: {{ root: ./out, format: raw }}\n");
        return new SourceScanner(manifest, ManifestRoots.Of(manifest, _lab.Path, SecretStore.None)).Scan(CancellationToken.None);
    }
}
