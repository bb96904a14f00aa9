using ImageCluster.Imaging;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Qcow2;
using ImageCluster.Imaging.Storage;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Manifests;
using ImageCluster.Jobs.Plans;
using ImageCluster.Testing.Archives;
using ImageCluster.Testing.Storage;
using ImageCluster.Work.Gathering;

namespace ImageCluster.Work.Tests.Gathering;

public sealed class SourceInspectorTests
{
    [Theory]
    [InlineData("a.qcow2", 0)]
    [InlineData("a.qcow2", 3000)]
    [InlineData("b.VMDK", 3000)]
    [InlineData("c.vhdx", 70000)]
    public void WhatIsNotWhatItsNameSaysIsRefusedUnlessStated(string name, int length)
    {
        using TempDirectory directory = new();
        byte[] content = new byte[length];
        new Random(1).NextBytes(content);
        File.WriteAllBytes(directory[name], content);
        SourceInspector inspector = new(new LocalFileLocator(), [directory.Path], allowProbedBacking: false);

        ImageException refused = Assert.Throws<ImageException>(() => inspector.Open(Source(directory, name, null)).Dispose());
        Assert.Equal(ImageErrorKind.NotThisFormat, refused.Kind);
        Assert.NotNull(refused.Hint);
        inspector.Open(Source(directory, name, "raw")).Dispose();
    }

    [Theory]
    [InlineData("disk.raw")]
    [InlineData("disk.img")]
    [InlineData("disk-flat.vmdk")]
    [InlineData("disk-f001.vmdk")]
    public void RawDisksUnderRawNamesAreTaken(string name)
    {
        using TempDirectory directory = new();
        File.WriteAllBytes(directory[name], new byte[1024]);
        new SourceInspector(new LocalFileLocator(), [directory.Path], allowProbedBacking: false).Open(Source(directory, name, null)).Dispose();
    }

    // The guest of a raw disk writes the header of an image into it that names its neighbour's disk.
    [Theory]
    [InlineData("disk.raw", true, true)]
    [InlineData("disk.raw", false, true)]
    [InlineData("disk-flat.vmdk", true, true)]
    [InlineData("disk.img", true, true)]
    [InlineData("disk", true, true)]
    [InlineData("disk.img", false, false)]
    [InlineData("disk.qcow2", true, false)]
    public void ARawDiskIsNeverProbedIntoAnImage(string name, bool hasBacking, bool isRefused)
    {
        using TempDirectory directory = new();
        File.WriteAllBytes(directory["neighbour.raw"], [.. Enumerable.Repeat((byte)7, 4096)]);
        new Qcow2Format().Create(new CreateRequest
        {
            FileName = directory[name],
            Locator = new LocalFileLocator(),
            VirtualSize = 4096,
            Options = hasBacking ? new Dictionary<string, string> { ["backing_file"] = "neighbour.raw", ["backing_fmt"] = "raw" } : [],
            Mode = OpenMode.ReadWrite with { Lock = ImageLock.None },
        });
        SourceInspector inspector = new(new LocalFileLocator(), [directory.Path], allowProbedBacking: false);
        if (!isRefused)
        {
            inspector.Open(Source(directory, name, null)).Dispose();
            return;
        }

        ImageException refused = Assert.Throws<ImageException>(() => inspector.Open(Source(directory, name, null)).Dispose());
        Assert.Equal(ImageErrorKind.Policy, refused.Kind);
        Assert.NotNull(refused.Hint);
        using (OpenedSource raw = inspector.Open(Source(directory, name, "raw")))
        {
            byte[] start = new byte[4];
            raw.Disk.Read(0, start);
            Assert.Equal([(byte)'Q', (byte)'F', (byte)'I', 0xfb], start);
        }

        inspector.Open(Source(directory, name, "qcow2")).Dispose();
        new SourceInspector(new LocalFileLocator(), [directory.Path], allowProbedBacking: true).Open(Source(directory, name, null)).Dispose();
    }

    [Fact]
    public void ADiskOfAnApplianceIsOpenedAndItsFileWatched()
    {
        using TempDirectory directory = new();
        byte[] guest = new byte[4096];
        new Random(1).NextBytes(guest);
        File.WriteAllBytes(directory["web.ova"], OvaBuilder.Ova(("disk1.img", guest), ("disk2.img", new byte[512])));
        SourceInspector inspector = new(new LocalFileLocator(), [directory.Path], allowProbedBacking: false);
        FoundSource source = Source(directory, "web.ova/disk1.img", null);
        using (OpenedSource opened = inspector.Open(source))
        {
            byte[] read = new byte[opened.Disk.VirtualSize];
            opened.Disk.Read(0, read);
            Assert.Equal(guest, read);
            Assert.Equal([directory["web.ova"]], opened.Watch.Files);
            File.AppendAllText(directory["web.ova"], "x");
            Assert.Throws<SourceChangedException>(opened.Watch.RequireUnchanged);
        }

        SourceFacts facts = inspector.Inspect(source, BackingChain.Flatten, CancellationToken.None);
        Assert.Null(facts.Problem);
        Assert.Equal($"ova:{directory["web.ova"]}#disk1.img", facts.Identity);
        Assert.Equal([directory["web.ova"]], facts.OtherFiles);
    }

    [Fact]
    public void AnApplianceOutsideTheRootsIsNotOpened()
    {
        using TempDirectory directory = new();
        using TempDirectory outside = new();
        File.WriteAllBytes(outside["web.ova"], OvaBuilder.Ova(("disk1.img", new byte[512])));
        File.CreateSymbolicLink(directory["web.ova"], outside["web.ova"]);
        SourceInspector inspector = new(new LocalFileLocator(), [directory.Path], allowProbedBacking: false);
        Assert.Equal(ImageErrorKind.Policy, Assert.Throws<ImageException>(() => inspector.Open(Source(directory, "web.ova/disk1.img", null))).Kind);
    }

    [SkippableFact]
    public void AChainOfNamesThatAreNoTextIsRefused()
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "names are bytes: not Linux");
        using TempDirectory directory = new();
        string odd = NameText.GetString([0x62, 0xe4]);
        LocalFileLocator files = new();
        files.Create(directory[odd], 1 << 20, OpenMode.ReadWrite).Dispose();
        new Qcow2Format().Create(new CreateRequest
        {
            FileName = directory["top.qcow2"],
            Locator = files,
            VirtualSize = 1 << 20,
            Options = new Dictionary<string, string> { ["backing_file"] = odd, ["backing_fmt"] = "raw" },
        });
        SourceFacts facts = new SourceInspector(files, [directory.Path], allowProbedBacking: false).Inspect(Source(directory, "top.qcow2", "qcow2"), BackingChain.Flatten, CancellationToken.None);
        files.Delete(directory[odd]);
        Assert.Contains("has bytes that are not UTF-8", facts.Problem, StringComparison.Ordinal);
        Assert.True(NameText.IsUtf8(facts.Problem!));
    }

    private static FoundSource Source(TempDirectory directory, string name, string? format) =>
        new(new ImageName(directory.Path, name), directory[name], format);
}
