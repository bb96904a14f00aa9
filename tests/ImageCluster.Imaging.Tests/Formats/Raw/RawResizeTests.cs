using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Raw;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Raw;

public sealed class RawResizeTests
{
    private const string Name = "a.raw";

    [Theory]
    [InlineData("metadata")]
    [InlineData("some")]
    public void APreallocationThatThereIsNotLeavesTheFileAsItWas(string preallocation)
    {
        MemoryLocator files = new() { [Name] = new byte[4096] };
        using (IImageLayer image = Open(files))
        {
            ImageException e = Assert.Throws<ImageException>(() => ((IResizable)image).Resize(8192, preallocation));
            Assert.Equal($"Unsupported preallocation mode: {preallocation}", e.Message);
            Assert.Equal(4096, image.VirtualSize);
        }

        Assert.Equal(4096, files[Name].Length);
    }

    [Theory]
    [InlineData("falloc", StorageCall.Allocate)]
    [InlineData("full", StorageCall.WriteZeroes)]
    public void AFailedPreallocationLeavesTheFileAsItWas(string preallocation, StorageCall failing)
    {
        MemoryLocator files = new() { [Name] = new byte[4096] };
        using (IImageLayer image = Open(FakeLocator.Failing(files, FaultPlan.FailCall(failing, 1))))
        {
            Assert.Throws<ImageException>(() => ((IResizable)image).Resize(8192, preallocation));
            Assert.Equal(4096, image.VirtualSize);
        }

        Assert.Equal(4096, files[Name].Length);
    }

    private static IImageLayer Open(IFileLocator files) => new RawFormat().Open(new OpenContext
    {
        File = files.Open(Name, OpenMode.ReadWrite),
        FileName = Name,
        Locator = files,
        Mode = OpenMode.ReadWrite,
    });
}
