using System.Buffers.Binary;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Vhdx;
using ImageCluster.Imaging.Tests.Formats.BlockTables;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Vhdx;

/// <summary>Images that crashed while their table was being changed.</summary>
public sealed class VhdxLogTests : IDisposable
{
    private const int MiB = 1 << 20;
    private const int LogAt = MiB;
    private const int LogIdAt = 48;
    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void ALogIsShownOverAFileThatIsOnlyRead()
    {
        byte[] dirty = DirtyImage(out byte[] guest);
        MemoryLocator files = new() { ["a"] = dirty };
        using (LayeredDisk disk = new FormatKit("vhdx", files).Open("a"))
        {
            Assert.True(guest.AsSpan().SequenceEqual(FormatKit.ReadAll(disk)));
            CheckReport report = ((ICheckable)disk.Top).Check(CheckRepair.None);
            Assert.Equal(1, report.Corruptions);
        }

        Assert.Equal(dirty, files["a"]);
    }

    [Fact]
    public void ALogIsReplayedIntoAFileThatIsWritten()
    {
        MemoryLocator files = new() { ["a"] = DirtyImage(out byte[] guest) };
        FormatKit kit = new("vhdx", files);
        using (LayeredDisk disk = kit.Open("a", write: true, forCheck: true))
        {
            CheckReport report = ((ICheckable)disk.Top).Check(CheckRepair.All);
            Assert.Equal((0, 1), (report.Corruptions, report.CorruptionsFixed));
        }

        Assert.True(CountingHeader(files["a"]).Slice(LogIdAt, 16).IndexOfAnyExcept((byte)0) < 0);
        using LayeredDisk clean = kit.Open("a");
        Assert.True(guest.AsSpan().SequenceEqual(FormatKit.ReadAll(clean)));
    }

    [SkippableFact]
    public void QemuReplaysOurLog()
    {
        QemuTools.Require();
        File.WriteAllBytes(_directory["a"], DirtyImage(out byte[] guest));
        File.WriteAllBytes(_directory["raw"], guest);
        Assert.Contains("needs to be replayed", QemuTools.TryImg("info", "-f", "vhdx", _directory["a"]).Error, StringComparison.Ordinal);
        QemuTools.Img("check", "-f", "vhdx", "-r", "all", _directory["a"]);
        QemuTools.Img("compare", "-f", "raw", "-F", "vhdx", _directory["raw"], _directory["a"]);
    }

    [Fact]
    public void ALogThatIsDamagedAnywhereIsNotReplayed()
    {
        byte[] dirty = DirtyImage(out _);
        for (int at = 0; at < 2 * 4096; at += 397)
        {
            byte[] damaged = [.. dirty];
            damaged[LogAt + at] ^= 0x10;

            // What the log did not bring into the table is not there: the guest sees what it saw before.
            using LayeredDisk disk = new FormatKit("vhdx", new MemoryLocator { ["a"] = damaged }).Open("a");
            byte[] seen = FormatKit.ReadAll(disk);
            Assert.True(seen.AsSpan(4 * MiB).IndexOfAnyExcept((byte)0) < 0, $"byte {at}");
        }
    }

    // The first entry brings the blocks into the table, the second nothing, the third takes all of them out.
    [Theory]
    [InlineData(-1, false)]
    [InlineData(2, true)]
    [InlineData(1, true)]
    public void OfALogThatIsDamagedInTheMiddleOnlyWhatIsWholeFromItsTailOnIsReplayed(int damaged, bool showsBlocks)
    {
        byte[] dirty = DirtyImage(out byte[] guest);
        int[] starts = WriteThreeEntries(dirty, tail: 0);
        if (damaged >= 0)
        {
            dirty[LogAt + starts[damaged] + 100] ^= 1;
        }

        using LayeredDisk disk = new FormatKit("vhdx", new MemoryLocator { ["a"] = dirty }).Open("a");
        Assert.True((showsBlocks ? guest : new byte[guest.Length]).AsSpan().SequenceEqual(FormatKit.ReadAll(disk)));
    }

    [Fact]
    public void ALogWithoutTheEntriesThatItsNewestBuildOnIsRefused()
    {
        byte[] dirty = DirtyImage(out _);
        int[] starts = WriteThreeEntries(dirty, tail: 0);
        dirty[LogAt + starts[0] + 100] ^= 1;
        ImageException e = Assert.Throws<ImageException>(() => new FormatKit("vhdx", new MemoryLocator { ["a"] = dirty }).Open("a"));
        Assert.Equal((ImageErrorKind.Corrupt, "VHDX log is damaged: entries that the newest ones build on are missing"), (e.Kind, e.Message));
    }

    [Fact]
    public void ALogThatGoesOnAtItsStartIsReplayedWhole()
    {
        byte[] dirty = DirtyImage(out byte[] guest);
        byte[] entry = dirty.AsSpan(LogAt, EntryLength(dirty)).ToArray();
        ulong sequence = BinaryPrimitives.ReadUInt64LittleEndian(entry.AsSpan(16));
        dirty.AsSpan(LogAt, MiB).Clear();
        int start = MiB - entry.Length;
        SetTail(entry, start);
        entry.CopyTo(dirty, LogAt + start);
        ZeroEntry(entry, sequence + 1, start, (2 * MiB) + (64 << 10)).CopyTo(dirty, LogAt);
        using LayeredDisk disk = new FormatKit("vhdx", new MemoryLocator { ["a"] = dirty }).Open("a");
        Assert.True(guest.AsSpan().SequenceEqual(FormatKit.ReadAll(disk)));
    }

    [Fact]
    public void ALogOfALongerFileIsRefused()
    {
        byte[] dirty = DirtyImage(out _);
        ImageException e = Assert.Throws<ImageException>(() => new FormatKit("vhdx", new MemoryLocator { ["a"] = dirty[..^MiB] }).Open("a"));
        Assert.Equal(ImageErrorKind.Truncated, e.Kind);
    }

    [Fact]
    public void ManyFalseEntriesDoNotTakeForever()
    {
        byte[] dirty = DirtyImage(out _);
        byte[] entry = dirty.AsSpan(LogAt, 64).ToArray();
        BinaryPrimitives.WriteInt32LittleEndian(entry.AsSpan(8), MiB);
        for (int at = 0; at < MiB; at += 4096)
        {
            entry.CopyTo(dirty, LogAt + at);
        }

        DamagedImages.Survive("vhdx", dirty, "a log full of headers");
    }

    [Fact]
    public void ZerosThatAreAskedForAgainAndAgainDoNotTakeForever()
    {
        const int Descriptors = (MiB - 64) / 32;
        byte[] dirty = DirtyImage(out _);
        Span<byte> entry = dirty.AsSpan(LogAt, MiB);
        ulong sequence = BinaryPrimitives.ReadUInt64LittleEndian(entry[16..]);
        entry[64..].Clear();
        BinaryPrimitives.WriteInt32LittleEndian(entry[8..], MiB);
        BinaryPrimitives.WriteInt32LittleEndian(entry[24..], Descriptors);
        for (int i = 0; i < Descriptors; i++)
        {
            Span<byte> descriptor = entry.Slice(64 + (i * 32), 32);
            "zero"u8.CopyTo(descriptor);
            BinaryPrimitives.WriteInt64LittleEndian(descriptor[8..], 3L << 30);
            BinaryPrimitives.WriteUInt64LittleEndian(descriptor[24..], sequence);
        }

        VhdxChecksum.Seal(entry);
        ImageException e = Assert.Throws<ImageException>(() => new FormatKit("vhdx", new MemoryLocator { ["a"] = dirty }).Open("a"));
        Assert.Equal("VHDX log changes more than 4 GiB of the file", e.Message);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4096)]
    public void AnImageWhoseLogHasNoRoomForAnEntryIsNotWritten(int length)
    {
        MemoryLocator files = new();
        FormatKit kit = new("vhdx", files);
        kit.Fill("a", new byte[MiB], "block_size=1M");
        byte[] image = files["a"];
        foreach (int at in new[] { 64 << 10, 128 << 10 })
        {
            Span<byte> header = image.AsSpan(at, 4096);
            BinaryPrimitives.WriteInt32LittleEndian(header[68..], length);
            VhdxChecksum.Seal(header);
        }

        files["a"] = image;
        kit.Open("a").Dispose();
        ImageException e = Assert.Throws<ImageException>(() => kit.Open("a", write: true));
        Assert.Equal($"VHDX log of {length} bytes is too small: the image can only be read", e.Message);
    }

    /// <summary>The image as a crash leaves it right after the header was told of the log.</summary>
    private static byte[] DirtyImage(out byte[] guest)
    {
        MemoryLocator start = new();
        guest = new byte[8 * MiB];
        guest.AsSpan(0, MiB).Fill(1);
        new FormatKit("vhdx", start).Fill("a", guest, "block_size=1M");
        CrashLocator disk = new(start);
        guest.AsSpan(4 * MiB, 100_000).Fill(2);
        guest.AsSpan(6 * MiB + 512, 100_000).Fill(3);
        using (LayeredDisk writer = new FormatKit("vhdx", disk).Open("a", write: true))
        {
            writer.Write(4 * MiB, guest.AsSpan(4 * MiB, 100_000));
            writer.Write(6 * MiB + 512, guest.AsSpan(6 * MiB + 512, 100_000));
        }

        foreach (int instant in disk.FlushPoints)
        {
            byte[] image = disk.AfterCrash(instant)["a"];
            if (CountingHeader(image).Slice(LogIdAt, 16).IndexOfAnyExcept((byte)0) >= 0)
            {
                return image;
            }
        }

        throw new InvalidOperationException("The log was never used.");
    }

    private static int[] WriteThreeEntries(byte[] image, int tail)
    {
        int length = EntryLength(image);
        Span<byte> first = image.AsSpan(LogAt, length);
        ulong sequence = BinaryPrimitives.ReadUInt64LittleEndian(first[16..]);
        SetTail(first, tail);
        byte[] second = ZeroEntry(first, sequence + 1, tail, (2 * MiB) + (64 << 10));
        byte[] third = ZeroEntry(first, sequence + 2, tail, 2 * MiB);
        second.CopyTo(image, LogAt + length);
        third.CopyTo(image, LogAt + length + second.Length);
        return [0, length, length + second.Length];
    }

    private static int EntryLength(byte[] image) => BinaryPrimitives.ReadInt32LittleEndian(image.AsSpan(LogAt + 8));

    private static void SetTail(Span<byte> entry, int tail)
    {
        BinaryPrimitives.WriteInt32LittleEndian(entry[12..], tail);
        VhdxChecksum.Seal(entry);
    }

    // An entry of the same log that zeros 4 KiB of the file.
    private static byte[] ZeroEntry(ReadOnlySpan<byte> like, ulong sequence, int tail, long offset)
    {
        byte[] entry = new byte[4096];
        like[..64].CopyTo(entry);
        BinaryPrimitives.WriteInt32LittleEndian(entry.AsSpan(8), entry.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(entry.AsSpan(16), sequence);
        BinaryPrimitives.WriteInt32LittleEndian(entry.AsSpan(24), 1);
        Span<byte> descriptor = entry.AsSpan(64, 32);
        "zero"u8.CopyTo(descriptor);
        BinaryPrimitives.WriteInt64LittleEndian(descriptor[8..], 4096);
        BinaryPrimitives.WriteInt64LittleEndian(descriptor[16..], offset);
        BinaryPrimitives.WriteUInt64LittleEndian(descriptor[24..], sequence);
        SetTail(entry, tail);
        return entry;
    }

    private static Span<byte> CountingHeader(byte[] image)
    {
        Span<byte> first = image.AsSpan(64 << 10, 4096);
        Span<byte> second = image.AsSpan(128 << 10, 4096);
        return BinaryPrimitives.ReadUInt64LittleEndian(first[8..]) > BinaryPrimitives.ReadUInt64LittleEndian(second[8..]) ? first : second;
    }
}
