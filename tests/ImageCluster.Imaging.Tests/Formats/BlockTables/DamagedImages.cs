using System.Buffers.Binary;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;
using ImageCluster.Testing.Time;
using Microsoft.Win32.SafeHandles;

namespace ImageCluster.Imaging.Tests.Formats.BlockTables;

/// <summary>A field of an image's metadata that is to be set to what it should not be.</summary>
public sealed record Field(string Name, int Offset, int Width, bool BigEndian = false)
{
    /// <summary>Values just beyond what the format or the engine allows.</summary>
    public IReadOnlyList<ulong> Beyond { get; init; } = [];

    /// <summary>0, 1, the largest, the largest signed and its neighbour, one more and far more than what is there.</summary>
    public IEnumerable<ulong> BadValues(byte[] image)
    {
        ulong max = Width == 8 ? ulong.MaxValue : (1UL << (Width * 8)) - 1;
        ulong now = Get(image);
        return ((ulong[])[0, 1, max, max >> 1, (max >> 1) + 1, now + 1 & max, now << 12 & max]).Distinct().Where(v => v != now);
    }

    public ulong Get(byte[] image)
    {
        Span<byte> bytes = image.AsSpan(Offset, Width);
        ulong value = 0;
        for (int i = 0; i < Width; i++)
        {
            value = value << 8 | bytes[BigEndian ? i : Width - 1 - i];
        }

        return value;
    }

    public byte[] With(byte[] image, ulong value)
    {
        byte[] copy = [.. image];
        for (int i = 0; i < Width; i++)
        {
            copy[Offset + (BigEndian ? Width - 1 - i : i)] = (byte)(value >> (8 * i));
        }

        return copy;
    }
}

/// <summary>What must hold for every broken image: a clear refusal or correct bytes, in bounded time and memory.</summary>
public static class DamagedImages
{
    private const long MaxMemory = 200L << 20;
    private static readonly TimeSpan MaxTime = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Opens, maps, reads and checks an image that may be broken in any way; nothing but <see cref="ImageException"/> may come of it.
    /// Returns what opening it failed with, or null.
    /// </summary>
    public static ImageException? Survive(string format, byte[] image, string what, byte[]? guest = null) => Survive(
        (write, forCheck) => new FormatKit(format, new MemoryLocator { ["image"] = image }).Open("image", write, forCheck), image.Length, what, guest);

    /// <summary>The same of an image that is more than one file, or that takes more to be opened.</summary>
    /// <param name="open">Opens it, each time as it was at first: for writing or not, for a check or not.</param>
    /// <param name="length">Bytes of its files.</param>
    /// <param name="what">For messages.</param>
    /// <param name="guest">What can be read of it without an error must be this; null where it may be anything.</param>
    public static ImageException? Survive(Func<bool, bool, LayeredDisk> open, long length, string what, byte[]? guest = null)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        TimeSpan started = ThreadCpuTime.Used;
        ImageException? refusal = null;
        try
        {
            try
            {
                using LayeredDisk disk = open(false, false);
                LookAround(disk, what, guest);
            }
            catch (ImageException e)
            {
                AssertClear(e, what);
                refusal = e;
            }

            Try(what, () =>
            {
                using LayeredDisk disk = open(false, true);
                (disk.Top as ICheckable)?.Check(CheckRepair.None);
            });
            Try(what, () =>
            {
                using LayeredDisk disk = open(true, true);
                (disk.Top as ICheckable)?.Check(CheckRepair.All);
            });
            Try(what, () =>
            {
                using LayeredDisk disk = open(true, false);
                WriteSome(disk);
            });
        }
        catch (Exception e) when (e is not (ImageException or Xunit.Sdk.XunitException))
        {
            Assert.Fail($"{what}: {e}");
        }

        TimeSpan time = ThreadCpuTime.Used - started;
        Assert.True(time < MaxTime, $"{what}: took {time}");
        long used = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(used < MaxMemory + 9L * length, $"{what}: allocated {used:#,0} bytes");
        return refusal;
    }

    private static void Try(string what, Action action)
    {
        try
        {
            action();
        }
        catch (ImageException e)
        {
            AssertClear(e, what);
        }
    }

    // At the start, over a border of clusters, and at the end.
    private static void WriteSome(LayeredDisk disk)
    {
        byte[] data = new byte[3000];
        new Random(1).NextBytes(data);
        foreach (long at in (long[])[0, (1 << 20) - 1000, disk.VirtualSize - data.Length])
        {
            if (at >= 0 && at <= disk.VirtualSize - data.Length)
            {
                disk.Write(at, data);
                disk.WriteZeroes(at, 600, ZeroMode.MayUnmap);
            }
        }

        disk.Flush();
    }

    /// <summary>Where qemu-img refuses to open an image and says why in words, the engine must say the same; where it opens it, so must the engine.</summary>
    /// <param name="format">The format's name.</param>
    /// <param name="image">The image.</param>
    /// <param name="path">Where qemu-img shall find it.</param>
    /// <param name="what">For messages.</param>
    /// <returns>What differs, or null.</returns>
    public static string? CompareRefusal(string format, byte[] image, string path, string what)
    {
        WriteSparse(path, image);
        ToolResult qemu = QemuTools.TryImg("info", "-f", format, path);
        ImageException? ours = null;
        try
        {
            new FormatKit(format, new MemoryLocator { ["image"] = image }).Open("image").Dispose();
        }
        catch (ImageException e)
        {
            ours = e;
        }

        string expected = qemu.ExitCode == 0 ? "" : qemu.Error.Trim().Split($"'{path}': ")[^1].Split('\n')[0];
        if (expected is "" or not ("Invalid argument" or "Operation not supported" or "File too large" or "Input/output error" or "Numerical result out of range"))
        {
            return expected == (ours?.Message ?? "") ? null : $"{what}: qemu-img says \"{expected}\", the engine \"{ours?.Message}\"";
        }

        return ours is not null ? null : $"{what}: qemu-img refuses it ({expected}), the engine does not";
    }

    /// <summary>Writes a file that has holes where the bytes are zeros.</summary>
    public static void WriteSparse(string path, byte[] image)
    {
        const int Piece = 64 << 10;
        using SafeFileHandle file = File.OpenHandle(path, FileMode.Create, FileAccess.Write);
        RandomAccess.SetLength(file, image.Length);
        for (int at = 0; at < image.Length; at += Piece)
        {
            ReadOnlySpan<byte> piece = image.AsSpan(at, Math.Min(Piece, image.Length - at));
            if (piece.ContainsAnyExcept((byte)0))
            {
                RandomAccess.Write(file, piece, at);
            }
        }
    }

    private static void LookAround(LayeredDisk disk, string what, byte[]? guest)
    {
        disk.Top.DescribeSpecific();
        int length = (int)Math.Min(disk.VirtualSize, guest?.Length ?? 4 << 20);
        for (int at = 0; at < length; at += 64 << 10)
        {
            byte[] part = new byte[Math.Min(64 << 10, length - at)];
            try
            {
                disk.Read(at, part);
            }
            catch (ImageException e)
            {
                AssertClear(e, what);
                continue;
            }

            Assert.True(guest is null || part.AsSpan().SequenceEqual(guest.AsSpan(at, part.Length)), $"{what}: wrong bytes at {at} without an error");
        }

        foreach (DiskExtent extent in disk.MapRange(0, disk.VirtualSize).Take(2000))
        {
            Assert.True(extent.Extent.Length > 0 && extent.Extent.End <= disk.VirtualSize, what);
        }

        if (disk.VirtualSize > 0)
        {
            byte[] last = new byte[1];
            disk.Read(disk.VirtualSize - 1, last);
        }
    }

    /// <summary>One line, and the file that it is about.</summary>
    public static void AssertClear(ImageException e, string what)
    {
        Assert.False(string.IsNullOrWhiteSpace(e.Message), what);
        Assert.DoesNotContain('\n', e.Message);
        Assert.False(string.IsNullOrEmpty(e.File), $"{what}: {e.Message}: no file named");
    }

    /// <summary>Sets 4 bytes, which may be anything of a table.</summary>
    public static byte[] With(byte[] image, int offset, uint value, bool bigEndian = false)
    {
        byte[] copy = [.. image];
        BinaryPrimitives.WriteUInt32LittleEndian(copy.AsSpan(offset), bigEndian ? BinaryPrimitives.ReverseEndianness(value) : value);
        return copy;
    }
}
