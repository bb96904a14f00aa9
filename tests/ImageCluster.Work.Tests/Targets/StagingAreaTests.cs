using ImageCluster.Imaging;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Storage;
using ImageCluster.Work.Targets;

namespace ImageCluster.Work.Tests.Targets;

public sealed class StagingAreaTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void TheEngineSeesFinalNamesAndNobodyElseDoes()
    {
        StagingArea area = Started("disk.vmdk");
        IFileLocator locator = area.Locator(new LocalFileLocator());
        using (IBlockFile file = locator.Create(area.FinalPath, 10, OpenMode.ReadWrite))
        using (IBlockFile part = locator.Create(locator.Combine(area.FinalPath, "disk-flat.vmdk"), 20, OpenMode.ReadWrite))
        {
            file.Write(0, [1]);
            part.Write(0, [2]);
        }

        Assert.False(File.Exists(area.FinalPath));
        Assert.True(locator.Exists(area.FinalPath));
        using (IBlockFile again = locator.Open(area.FinalPath, OpenMode.ReadOnly))
        {
            Assert.Equal(10, again.Length);
        }

        area.Publish(replace: false);
        Assert.Equal(1, File.ReadAllBytes(area.FinalPath)[0]);
        Assert.Equal(2, File.ReadAllBytes(Path.Join(area.FinalDirectory, "disk-flat.vmdk"))[0]);
        Assert.False(area.Exists);
        Assert.Equal(2, Directory.GetFileSystemEntries(area.FinalDirectory).Length);
    }

    [Fact]
    public void WhatLiesElsewhereIsReadThereAndNotWritten()
    {
        StagingArea area = Started("top.qcow2");
        IFileLocator locator = area.Locator(new LocalFileLocator());
        string other = Path.Join(area.FinalDirectory, "base.qcow2");
        File.WriteAllBytes(other, [1, 2, 3]);
        using IBlockFile file = locator.Open(other, OpenMode.ReadOnly);
        Assert.Equal(3, file.Length);
        Assert.Equal(ImageErrorKind.Policy, Assert.Throws<ImageException>(() => locator.Create("/tmp/elsewhere", 1, OpenMode.ReadWrite)).Kind);
    }

    [Fact]
    public void AFileThatIsThereIsNeverReplacedUnlessAsked()
    {
        StagingArea area = Started("a.raw");
        File.WriteAllText(area.MainFile, "new");
        File.WriteAllText(area.FinalPath, "old");
        ImageException e = Assert.Throws<ImageException>(() => area.Publish(replace: false));
        Assert.Equal(ImageErrorKind.Exists, e.Kind);
        Assert.Equal("old", File.ReadAllText(area.FinalPath));
        Assert.Equal("new", File.ReadAllText(area.MainFile));
        area.Publish(replace: true);
        Assert.Equal("new", File.ReadAllText(area.FinalPath));
    }

    [Fact]
    public void OfAnImageOfSeveralFilesNothingIsMovedWhereOneIsInTheWay()
    {
        StagingArea area = Started("a.vmdk");
        File.WriteAllText(area.MainFile, "descriptor");
        File.WriteAllText(Path.Join(area.DirectoryPath, "a-flat.vmdk"), "extent");
        File.WriteAllText(Path.Join(area.FinalDirectory, "a-flat.vmdk"), "somebody's");
        Assert.Throws<ImageException>(() => area.Publish(replace: false));
        Assert.Equal("somebody's", File.ReadAllText(Path.Join(area.FinalDirectory, "a-flat.vmdk")));
        Assert.False(File.Exists(area.FinalPath));
        Assert.True(File.Exists(area.MainFile));
    }

    [Fact]
    public void PublishingGoesOnWhereItWasStopped()
    {
        StagingArea area = Started("a.vmdk");
        File.WriteAllText(area.MainFile, "descriptor");
        // The part was moved already when the process was killed.
        File.WriteAllText(Path.Join(area.FinalDirectory, "a-flat.vmdk"), "extent");
        area.Publish(replace: false);
        Assert.Equal("descriptor", File.ReadAllText(area.FinalPath));
        area.Publish(replace: false);
        Assert.Equal("descriptor", File.ReadAllText(area.FinalPath));
    }

    [Fact]
    public void LongNamesAndOtherMigrationsGetDirectoriesOfTheirOwn()
    {
        string name = new string('ü', 120) + ".raw";
        StagingArea a = Started(name, "one");
        StagingArea b = Started(name, "two");
        Assert.NotEqual(a.DirectoryPath, b.DirectoryPath);
        Assert.Equal(name, Path.GetFileName(a.MainFile));
        Assert.Equal([b.DirectoryPath], StagingArea.Find(_directory.Path, "two"));
    }

    private StagingArea Started(string name, string migration = "test")
    {
        StagingArea area = new(Path.Join(_directory.Path, "sub", name), migration);
        area.StartAnew();
        return area;
    }
}
