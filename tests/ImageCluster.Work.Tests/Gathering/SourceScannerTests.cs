using ImageCluster.Jobs.Manifests;
using ImageCluster.Testing.Storage;
using ImageCluster.Work.Gathering;
using ImageCluster.Work.Roots;

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

    private void Add(string file)
    {
        string path = _lab[$"src/{file}"];
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, new byte[512]);
    }

    private IReadOnlyList<FoundSource> Scan(string sources)
    {
        MigrationManifest manifest = ManifestParser.Parse($"version: 1\nname: x\nsources:\n{sources}\ntarget: {{ root: ./out, format: raw }}\n");
        return new SourceScanner(manifest, ManifestRoots.Of(manifest, _lab.Path)).Scan(CancellationToken.None);
    }
}
