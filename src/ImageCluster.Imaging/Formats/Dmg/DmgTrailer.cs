using System.Buffers.Binary;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Dmg;

/// <summary>The trailer of an Apple disk image (UDIF), which says where everything else is. Big-endian, bytes; limits after block/dmg.c.</summary>
internal sealed record DmgTrailer
{
    private const int Length = 512;
    private const int SectorSize = 512;
    private const int SearchLength = 515;
    private const long MaxListLength = 16 << 20;

    public required long DataForkOffset { get; init; }

    /// <summary>Where the list of chunks stands, and how long it is.</summary>
    public required long ListOffset { get; init; }

    public required int ListLength { get; init; }

    /// <summary>The list is a property list (XML); otherwise a resource fork.</summary>
    public required bool IsPropertyList { get; init; }

    public required long Sectors { get; init; }

    public static DmgTrailer Read(IBlockFile file, string name)
    {
        long at = Find(file, name);
        byte[] raw = new byte[Length];
        file.ReadPadded(at, raw);
        ulong dataFork = Field(raw, 0x18);
        ulong forkOffset = Field(raw, 0x28);
        ulong forkLength = Field(raw, 0x30);
        ulong listOffset = Field(raw, 0xd8);
        ulong listLength = Field(raw, 0xe0);
        ulong sectors = Field(raw, 0x1ec);
        string? wrong =
            dataFork > (ulong)at ? "dmg data fork lies behind the trailer" :
            forkOffset >= (ulong)at || forkLength > (ulong)at - forkOffset ? "dmg resource fork lies behind the trailer" :
            listOffset >= (ulong)at || listLength > (ulong)at - listOffset ? "dmg property list lies behind the trailer" :
            sectors > long.MaxValue / SectorSize ? "dmg image is too large" :
            forkLength == 0 && listLength == 0 ? "dmg image has neither a resource fork nor a property list" :
            null;
        if (wrong is not null)
        {
            throw new ImageException(ImageErrorKind.Corrupt, name, wrong);
        }

        bool isPropertyList = forkLength == 0;
        ulong length = isPropertyList ? listLength : forkLength;
        if (length > MaxListLength)
        {
            throw new ImageException(ImageErrorKind.Limit, name, $"dmg list of chunks has {length} bytes, max is {MaxListLength}");
        }

        return new DmgTrailer
        {
            DataForkOffset = (long)dataFork,
            ListOffset = (long)(isPropertyList ? listOffset : forkOffset),
            ListLength = (int)length,
            IsPropertyList = isPropertyList,
            Sectors = (long)sectors,
        };
    }

    // Images may have odd sizes: the trailer starts anywhere in the last but one sector, or at the last one's start.
    private static long Find(IBlockFile file, string name)
    {
        long length = (file.Length + SectorSize - 1) & -SectorSize;
        if (length < Length)
        {
            throw new ImageException(ImageErrorKind.NotThisFormat, name, "dmg file must be at least 512 bytes long");
        }

        long from = Math.Max(0, length - 511 - 512);
        byte[] raw = new byte[Math.Min(length, SearchLength)];
        file.ReadPadded(from, raw);
        int at = raw.AsSpan().IndexOf("koly"u8);
        return at >= 0 ? from + at : throw new ImageException(ImageErrorKind.NotThisFormat, name, "Could not locate UDIF trailer in dmg file");
    }

    private static ulong Field(ReadOnlySpan<byte> raw, int at) => BinaryPrimitives.ReadUInt64BigEndian(raw[at..]);
}
