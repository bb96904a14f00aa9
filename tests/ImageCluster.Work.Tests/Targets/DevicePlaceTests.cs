using ImageCluster.Imaging;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Storage;
using ImageCluster.Work.Targets;

namespace ImageCluster.Work.Tests.Targets;

/// <summary>What is written where it lies.</summary>
public sealed class DevicePlaceTests : IDisposable
{
    private readonly MemoryLocator _files = new() { ["/dev/vg/disk"] = [.. Enumerable.Repeat((byte)7, 4096)] };
    private readonly DevicePlace _place;

    public DevicePlaceTests() => _place = new DevicePlace("/dev/vg/disk", _files);

    public void Dispose() => _place.Dispose();

    [Fact]
    public void WhatFailedLooksLikeNoDisk()
    {
        _place.Remove();
        byte[] left = _files["/dev/vg/disk"];
        Assert.Equal(4096, left.Length);
        Assert.True(left.AsSpan(0, 512).IndexOfAnyExcept((byte)0) < 0);
        Assert.True(left.AsSpan(512).IndexOfAnyExcept((byte)7) < 0);
    }

    [Fact]
    public void NothingIsMadeBesideIt()
    {
        IFileLocator files = _place.Locator(_files);
        ImageException e = Assert.Throws<ImageException>(() => files.Create("/dev/vg/disk-flat.vmdk", 512, OpenMode.ReadWrite));
        Assert.Equal(ImageErrorKind.Policy, e.Kind);
        files.Open("/dev/vg/disk", OpenMode.ReadWrite).Dispose();
    }

    [Fact]
    public void OnlyRawDisksAreGoneOnWith()
    {
        Assert.True(_place.KeepsShards(FormatRegistry.Find("raw")!));
        Assert.False(_place.KeepsShards(FormatRegistry.Find("qcow2")!));
    }
}
