using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Vmdk;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Imaging.Tests.Formats.Vmdk;

/// <summary>What the tests of this folder share: subformats, opening, reading whole disks, comparing.</summary>
internal static class VmdkImages
{
    public static readonly string[] Subformats = ["monolithicSparse", "monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat", "streamOptimized"];

    public static readonly LocalFileLocator Local = new();

    public static TheoryData<string> SubformatData => new(Subformats);

    public static IImageLayer Open(string path, bool write = false) => Open(Local, path, write);

    public static IImageLayer Open(IFileLocator locator, string path, bool write = false)
    {
        OpenMode mode = write ? OpenMode.ReadWrite : OpenMode.ReadOnly;
        return new VmdkFormat().Open(new OpenContext { File = locator.Open(path, mode), FileName = path, Locator = locator, Mode = mode });
    }

    public static LayeredDisk OpenChain(string path, bool write = false) =>
        new ChainOpener(Local).Open(path, new ChainOptions { Mode = write ? OpenMode.ReadWrite : OpenMode.ReadOnly });

    /// <summary>Guest bytes of every kind at the start and around what a grain table maps (32 MiB); zeros between.</summary>
    public static byte[] Guest(int size, int seed)
    {
        byte[] guest = new byte[size];
        int first = Math.Min(size, 3 << 19);
        GuestContent.Make(first, seed).CopyTo(guest, 0);
        int second = Math.Max(first, (32 << 20) - (1 << 19));
        if (second < size)
        {
            GuestContent.Make(Math.Min(size - second, 1 << 20), seed + 1).CopyTo(guest, second);
            guest[^1] = 1;
        }

        return guest;
    }

    public static byte[] ReadAll(string path)
    {
        using LayeredDisk disk = OpenChain(path);
        return ReadAll(disk);
    }

    public static byte[] ReadAll(LayeredDisk disk)
    {
        byte[] bytes = new byte[disk.VirtualSize];
        disk.Read(0, bytes);
        return bytes;
    }

    public static void AssertSame(ReadOnlySpan<byte> expected, ReadOnlySpan<byte> actual, string what = "")
    {
        Assert.Equal(expected.Length, actual.Length);
        int at = expected.CommonPrefixLength(actual);
        Assert.True(at == expected.Length, $"{what} first difference at {at:#x}: {(at < expected.Length ? $"{expected[at]:x2}, not {actual[at]:x2}" : "")}");
    }

    /// <summary>The error that an action ends with.</summary>
    public static ImageException Fails(Action action) => Assert.Throws<ImageException>(action);
}
