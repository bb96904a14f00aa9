using System.Buffers.Binary;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Formats.Vmdk;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Vmdk;

/// <summary>Damaged images: every one is either read to its end or refused with an ImageException, in bounded time and memory.</summary>
public sealed class CorruptionTests
{
    private const int Size = (33 << 20) + 512;

    private static readonly (string Name, int Offset, int Width)[] HeaderFields =
    [
        ("magic", 0, 4), ("version", 4, 4), ("flags", 8, 4), ("capacity", 12, 8), ("grainSize", 20, 8), ("descriptorOffset", 28, 8), ("descriptorSize", 36, 8),
        ("entriesPerTable", 44, 4), ("rgdOffset", 48, 8), ("gdOffset", 56, 8), ("overHead", 64, 8), ("lineEnds", 73, 4), ("compressAlgorithm", 77, 2),
    ];

    private static readonly ulong[] Values =
    [
        0, 1, 2, 3, 4, 7, 127, 128, 129, 511, 512, 513, 4096, 0x1FFFFF, 0x200000, 0x200001, 1UL << 24, 1UL << 25, (1UL << 25) + 1, int.MaxValue, 1UL << 31, uint.MaxValue, 1UL << 32,
        (1UL << 32) + 1, 1UL << 40, 1UL << 52, 1UL << 53, (1UL << 54) - 1, 1UL << 54, 1UL << 55, 1UL << 62, long.MaxValue, 1UL << 63, ulong.MaxValue - 1, ulong.MaxValue,
    ];

    [Theory]
    [InlineData("monolithicSparse", false)]
    [InlineData("streamOptimized", false)]
    [InlineData("streamOptimized", true)]
    public void Any_header_field_at_any_value(string subformat, bool footer)
    {
        byte[] image = Make(subformat);
        int header = footer ? image.Length - 1024 : 0;
        foreach ((string name, int offset, int width) in HeaderFields)
        {
            foreach (ulong value in Values)
            {
                byte[] damaged = (byte[])image.Clone();
                Span<byte> field = damaged.AsSpan(header + offset);
                switch (width)
                {
                    case 2:
                        BinaryPrimitives.WriteUInt16LittleEndian(field, (ushort)value);
                        break;
                    case 4:
                        BinaryPrimitives.WriteUInt32LittleEndian(field, (uint)value);
                        break;
                    default:
                        BinaryPrimitives.WriteUInt64LittleEndian(field, value);
                        break;
                }

                Survives(damaged, $"{name} = {value}");
            }
        }
    }

    [SkippableTheory]
    [InlineData(4, 4, 4UL, "version")]
    [InlineData(44, 4, 513UL, "entries per table")]
    [InlineData(44, 4, 0UL, "entries per table")]
    [InlineData(20, 8, 0UL, "grain size")]
    [InlineData(20, 8, 0x200001UL, "grain size")]
    [InlineData(12, 8, 1UL << 42, "capacity")]
    [InlineData(64, 8, 1UL << 30, "overhead")]
    [InlineData(56, 8, ulong.MaxValue, "directory at the end")]
    public void Headers_are_refused_in_the_words_of_qemu_img(int offset, int width, ulong value, string what)
    {
        QemuTools.Require();
        using TempDirectory temp = new();
        byte[] image = Make("monolithicSparse");
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        bytes[..width].CopyTo(image.AsSpan(offset));
        File.WriteAllBytes(temp["disk.vmdk"], image);
        ToolResult theirs = QemuTools.TryImg("info", temp["disk.vmdk"]);
        Assert.True(theirs.ExitCode == 1, what);
        Assert.Contains(VmdkImages.Fails(() => VmdkImages.Open(temp["disk.vmdk"])).Message, theirs.Error, StringComparison.Ordinal);
    }

    /// <summary>A directory of more than 32 Mi grain tables is refused before it is read or its room is taken; a byte less is another matter.</summary>
    [SkippableTheory]
    [InlineData("monolithicSparse", 128U, (512UL * 128 << 25) + 1)]
    [InlineData("monolithicSparse", 1U, (512UL << 25) + 1)]
    [InlineData("streamOptimized", 16U, (512UL * 16 << 25) + 1)]
    public void A_directory_that_is_too_large_is_refused_in_the_words_of_qemu_img(string subformat, uint grainSectors, ulong capacity)
    {
        QemuTools.Require();
        using TempDirectory temp = new();
        byte[] image = Make(subformat);
        foreach (int at in subformat == "streamOptimized" ? new[] { 0, image.Length - 1024 } : [0])
        {
            BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan(at + 12), capacity);
            BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan(at + 20), grainSectors);
        }

        File.WriteAllBytes(temp["disk.vmdk"], image);
        ToolResult theirs = QemuTools.TryImg("info", temp["disk.vmdk"]);
        string ours = VmdkImages.Fails(() => VmdkImages.Open(temp["disk.vmdk"])).Message;
        Assert.Equal("L1 size too big", ours);
        Assert.Equal($"qemu-img: Could not open '{temp["disk.vmdk"]}': {ours}\n", theirs.Error);
    }

    [Fact]
    public void Version_3_without_compression_is_for_reading_only()
    {
        byte[] image = Make("monolithicSparse");
        image[4] = 3;
        MemoryLocator files = new() { ["disk.vmdk"] = image };
        VmdkImages.Open(files, "disk.vmdk").Dispose();
        Assert.Equal("VMDK version 3 must be read only", VmdkImages.Fails(() => VmdkImages.Open(files, "disk.vmdk", write: true)).Message);
    }

    [Theory]
    [InlineData("monolithicSparse")]
    [InlineData("streamOptimized")]
    public void Cut_short_anywhere(string subformat)
    {
        byte[] image = Make(subformat);
        byte[] guest = Guest();
        Random random = new(1);
        int[] structures = [0, 1, 3, 4, 79, 511, 512, 513, 800, 21 * 512, (21 * 512) + 4, 22 * 512, 26 * 512, 31 * 512, 65535, 65536, 65537, image.Length - 1536, image.Length - 1024, image.Length - 512, image.Length - 1];
        foreach (int length in structures.Concat(Enumerable.Range(0, 60).Select(_ => random.Next(image.Length))))
        {
            MemoryLocator files = new() { ["disk.vmdk"] = image[..length] };
            try
            {
                using LayeredDisk disk = new(VmdkImages.Open(files, "disk.vmdk"));

                // What can be read to the end is right: of a sparse image only the last grain's unused part may be missing.
                VmdkImages.AssertSame(guest, VmdkImages.ReadAll(disk), $"cut at {length} of {image.Length}:");
            }
            catch (ImageException e)
            {
                Assert.DoesNotContain('\n', e.Message);
            }
        }
    }

    [Theory]
    [InlineData("monolithicSparse", 1)]
    [InlineData("monolithicSparse", 2)]
    [InlineData("streamOptimized", 3)]
    [InlineData("streamOptimized", 4)]
    public void Bytes_changed_anywhere(string subformat, int seed)
    {
        byte[] image = Make(subformat);
        Random random = new(seed);
        for (int round = 0; round < 150; round++)
        {
            byte[] damaged = (byte[])image.Clone();
            for (int i = random.Next(1, 6); i > 0; i--)
            {
                // Metadata is what matters: at the start, and at the end of a stream.
                int at = random.Next(3) == 0 ? random.Next(image.Length) : random.Next(2) == 0 ? random.Next(40 * 512) : image.Length - 1 - random.Next(12 * 512);
                damaged[at] = (byte)random.Next(256);
            }

            Survives(damaged, $"seed {seed}, round {round}");
        }
    }

    [Fact]
    public void A_compressed_grain_that_claims_too_much_or_inflates_wrongly_is_named()
    {
        byte[] image = Make("streamOptimized");
        foreach ((int offset, byte[] bytes) in ((int, byte[])[])[(8, [0, 0, 0, 0]), (8, [1, 0, 2, 0]), (8, [0xFF, 0xFF, 0xFF, 0xFF]), (12, [0, 0]), (20, [0xAA, 0xAA, 0xAA, 0xAA])])
        {
            byte[] damaged = (byte[])image.Clone();
            bytes.CopyTo(damaged, 65536 + offset);
            MemoryLocator files = new() { ["disk.vmdk"] = damaged };
            using LayeredDisk disk = new(VmdkImages.Open(files, "disk.vmdk"));
            Assert.Equal(ImageErrorKind.Corrupt, VmdkImages.Fails(() => VmdkImages.ReadAll(disk)).Kind);
        }
    }

    [Fact]
    public void Claims_do_not_take_memory()
    {
        // 32 Mi tables, 1 GiB grains, a directory that the file does not have.
        byte[] file = new byte[128 * 512];
        EsxImages.Descriptor("monolithicSparse", "").CopyTo(file, 512);
        MemoryStore store = new(file);
        store.SetLength(1L << 41);
        foreach ((ulong capacity, ulong grain, uint entries, ushort compressed) in ((ulong, ulong, uint, ushort)[])
            [(1UL << 25, 1, 1, 0), (1UL << 54, 0x200000, 512, 0), (1UL << 53, 0x200000, 512, 1), (1UL << 30, 32768, 512, 1)])
        {
            byte[] sector = new byte[512];
            new SparseHeader
            {
                Capacity = capacity,
                GrainSize = grain,
                EntriesPerTable = entries,
                DescriptorOffset = 1,
                DescriptorSize = ulong.MaxValue,
                DirectoryOffset = 1000,
                GrainOffset = 128,
                CompressAlgorithm = compressed,
            }.Write(sector);
            store.Write(0, sector);
            MemoryLocator files = new();
            files.Add("disk.vmdk", store.Clone());
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                using LayeredDisk disk = new(VmdkImages.Open(files, "disk.vmdk"));
                disk.Map(disk.VirtualSize / 2, disk.VirtualSize / 2);
                disk.Read(disk.VirtualSize / 2, new byte[4096]);
            }
            catch (ImageException)
            {
                // As good: refused.
            }

            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 4 << 20);
        }
    }

    private static byte[] Guest()
    {
        byte[] guest = new byte[Size];
        GuestContent.Make(400_000, 3).CopyTo(guest, 0);
        GuestContent.Make(200_000, 4).CopyTo(guest, 32 << 20);
        guest[0] = 1;
        guest[Size - 1] = 2;
        return guest;
    }

    private static byte[] Make(string subformat)
    {
        MemoryLocator files = new();
        byte[] guest = Guest();
        using IFillTarget target = new VmdkFormat().CreateFill(FillTests.Request(files, "disk.vmdk", Size, subformat));
        MemoryLocator sources = new() { ["source.raw"] = guest };
        FillTests.Converter(sources, "source.raw", target, 1).Run(CancellationToken.None);
        target.Finish();
        return files["disk.vmdk"];
    }

    private static void Survives(byte[] image, string what)
    {
        MemoryLocator files = new() { ["disk.vmdk"] = image };
        Run(files, what);
    }

    // Opens, maps, reads, checks and writes; only an ImageException may come of it.
    private static void Run(MemoryLocator files, string what)
    {
        try
        {
            using LayeredDisk disk = new(VmdkImages.Open(files, "disk.vmdk"));
            disk.Top.DescribeSpecific();
            byte[] buffer = new byte[1 << 16];
            long size = disk.VirtualSize;
            long at = 0;
            for (int looks = 0; at < size && looks < 3000; looks++)
            {
                at = disk.Map(at, size - at).Extent.End;
            }

            foreach (long offset in (long[])[0, size / 2, size - buffer.Length])
            {
                if (offset >= 0 && offset < size)
                {
                    disk.Read(offset, buffer);
                }
            }

            if (size < 1L << 40)
            {
                ((Reader)disk.Top).Check(0);
            }
        }
        catch (ImageException e)
        {
            Assert.False(e.Message.Contains('\n'), what);
        }
        catch (Exception e) when (e is not Xunit.Sdk.XunitException)
        {
            Assert.Fail($"{what}: {e}");
        }

        try
        {
            using LayeredDisk disk = new(VmdkImages.Open(files, "disk.vmdk", write: true));
            if (disk.VirtualSize >= 1 << 16 && disk.Top.Granularity <= 1 << 20)
            {
                disk.Write(0, new byte[1 << 16]);
                disk.WriteZeroes(0, 1 << 16, Imaging.Storage.ZeroMode.MayUnmap);
                disk.Flush();
            }
        }
        catch (ImageException e)
        {
            Assert.False(e.Message.Contains('\n'), what);
        }
        catch (Exception e) when (e is not Xunit.Sdk.XunitException)
        {
            Assert.Fail($"{what}, writing: {e}");
        }
    }
}
