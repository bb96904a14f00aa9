using ImageCluster.Imaging;
using ImageCluster.Imaging.Storage;
using ImageCluster.Jobs;
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

    private static FoundSource Source(TempDirectory directory, string name, string? format) =>
        new(new ImageName(directory.Path, name), directory[name], format);
}
