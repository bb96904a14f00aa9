using System.Buffers.Binary;
using System.Text;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vpc;

/// <summary>Who the parent of a differencing disk is: its identity, and where it was.</summary>
/// <param name="Id">The parent's unique id, as its footer has it.</param>
/// <param name="Paths">Where to look, best first: paths with slashes, relative to the disk or absolute.</param>
internal sealed record VpcParent(Guid Id, IReadOnlyList<string> Paths)
{
    private const int IdAt = 0x28;
    private const int NameAt = 0x40;
    private const int NameLength = 512;
    private const int LocatorsAt = 0x240;
    private const int LocatorLength = 24;
    private const int Locators = 8;
    private const int MaxPathBytes = 64 << 10;

    /// <summary>Windows path relative to the disk, UTF-16 little-endian.</summary>
    private const uint RelativePath = 0x57327275;

    /// <summary>Windows absolute path, UTF-16 little-endian.</summary>
    private const uint AbsolutePath = 0x57326b75;

    /// <summary>Reads the parent's part of a dynamic header and the locators that it points to.</summary>
    public static VpcParent Read(IBlockFile file, ReadOnlySpan<byte> header)
    {
        List<string> paths = [];
        foreach (uint wanted in (ReadOnlySpan<uint>)[RelativePath, AbsolutePath])
        {
            for (int i = 0; i < Locators; i++)
            {
                ReadOnlySpan<byte> locator = header.Slice(LocatorsAt + i * LocatorLength, LocatorLength);
                if (BinaryPrimitives.ReadUInt32BigEndian(locator) == wanted)
                {
                    paths.Add(ReadPath(file, locator));
                }
            }
        }

        // The name in the header is as old as the format; last, because it has no directory that means anything here.
        paths.Add(Slashes(Encoding.BigEndianUnicode.GetString(header.Slice(NameAt, NameLength))));
        return new VpcParent(new Guid(header.Slice(IdAt, 16), bigEndian: true), [.. paths.Where(path => path.Length > 0).Distinct()]);
    }

    private static string ReadPath(IBlockFile file, ReadOnlySpan<byte> locator)
    {
        uint length = BinaryPrimitives.ReadUInt32BigEndian(locator[8..]);
        long offset = BinaryPrimitives.ReadInt64BigEndian(locator[16..]);
        if (length is 0 or > MaxPathBytes || offset is < 0 or > long.MaxValue - MaxPathBytes)
        {
            return "";
        }

        byte[] raw = new byte[length];
        return file.Read(offset, raw) == raw.Length ? Slashes(Encoding.Unicode.GetString(raw)) : "";
    }

    private static string Slashes(string path)
    {
        int end = path.IndexOf('\0', StringComparison.Ordinal);
        return (end < 0 ? path : path[..end]).Replace('\\', '/');
    }
}
