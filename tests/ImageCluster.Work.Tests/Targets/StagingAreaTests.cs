using ImageCluster.Imaging;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Storage;
using ImageCluster.Work.Native;
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

    [SkippableFact]
    public void ALinkThatSomebodyPutsInItsWayLeadsNowhere()
    {
        string elsewhere = Directory.CreateDirectory(_directory["elsewhere"]).FullName;
        Skip.IfNot(HoldsDirectories(elsewhere), "openat2 (Linux 5.6) is not here");
        var area = new StagingArea(_directory["root/sub/a.raw"], "job", Directory.CreateDirectory(_directory["root"]).FullName);
        area.StartAnew();
        area.WriteNote("note");
        File.WriteAllText(area.MainFile, "image");
        string precious = Path.Join(elsewhere, Path.GetFileName(area.DirectoryPath), "precious");
        Directory.CreateDirectory(Path.GetDirectoryName(precious)!);
        File.WriteAllText(precious, "");
        // Another directory in the place of the one that the target is to lie in.
        Swap(_directory["root/sub"], elsewhere);
        AssertRefused(area, precious);
        File.Delete(_directory["root/sub"]);
        Directory.Move(_directory["root/sub.away"], _directory["root/sub"]);
        // In the place of the hidden one.
        Swap(area.DirectoryPath, Path.GetDirectoryName(precious)!);
        AssertRefused(area, precious);
        File.Delete(area.DirectoryPath);
        Directory.Move(area.DirectoryPath + ".away", area.DirectoryPath);
        area.Publish(replace: false);
        Assert.Equal("image", File.ReadAllText(area.FinalPath));
        Assert.False(area.Exists);
    }

    [SkippableFact]
    public void TheNoteIsNotWrittenWhereALinkOfItsNameLeads()
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "links take no rights there");
        StagingArea area = Started("a.raw");
        File.WriteAllText(_directory["precious"], "precious");
        File.CreateSymbolicLink(Path.Join(area.DirectoryPath, OwnNames.Note), _directory["precious"]);
        area.WriteNote("note");
        Assert.Equal(("note", "precious"), (area.Note, File.ReadAllText(_directory["precious"])));
    }

    [Fact]
    public void TheRootItselfMayBeALink()
    {
        Directory.CreateDirectory(_directory["real"]);
        Directory.CreateSymbolicLink(_directory["root"], _directory["real"]);
        var area = new StagingArea(_directory["root/x/y/a.raw"], "job", _directory["root"]);
        area.StartAnew();
        File.WriteAllText(area.MainFile, "image");
        area.Publish(replace: false);
        Assert.Equal("image", File.ReadAllText(_directory["real/x/y/a.raw"]));
        Assert.Single(Directory.GetFileSystemEntries(_directory["real/x/y"]));
    }

    private static bool HoldsDirectories(string any)
    {
        using HeldDirectory? held = HeldDirectory.Open(any, any);
        return held!.Path != any;
    }

    private static void Swap(string directory, string other)
    {
        Directory.Move(directory, directory + ".away");
        Directory.CreateSymbolicLink(directory, other);
    }

    private static void AssertRefused(StagingArea area, string precious)
    {
        Action[] all = [area.StartAnew, area.Clear, area.Remove, () => area.Publish(replace: true), () => area.WriteNote("x")];
        Assert.All(all, action => Assert.Equal(ImageErrorKind.Policy, Assert.Throws<ImageException>(action).Kind));
        Assert.Equal([precious], Directory.GetFileSystemEntries(Path.GetDirectoryName(precious)!));
        Assert.Single(Directory.GetFileSystemEntries(Path.GetDirectoryName(Path.GetDirectoryName(precious)!)!, "*", SearchOption.AllDirectories), entry => entry == precious);
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
