using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>An extent whose bytes stand in a file as they are, from an offset on: FLAT and VMFS.</summary>
internal sealed class FlatExtent : VmdkExtent, IWritableExtent
{
    private readonly IBlockFile _file;

    /// <param name="start">Guest offset, bytes.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="file">The file that holds it.</param>
    /// <param name="fileOffset">Where the extent starts in its file, bytes.</param>
    /// <param name="lineType">The type that the descriptor's line states.</param>
    public FlatExtent(long start, long length, IBlockFile file, long fileOffset, string lineType)
        : base(start, length, file, lineType)
    {
        _file = file;
        FileOffset = fileOffset;
    }

    /// <summary>Where the extent starts in its file, bytes.</summary>
    public long FileOffset { get; }

    public override Extent Map(long offset, long length)
    {
        long host = HostOf(offset);
        long inFile = _file.Length - host;
        if (inFile <= 0)
        {
            // Reading says that the file is too short.
            return new Extent(offset, length, ExtentKind.Data, _file, host);
        }

        (long run, bool hole) = _file.NextRange(host, Math.Min(length, inFile));
        return new Extent(offset, run, hole ? ExtentKind.Zero : ExtentKind.Data, _file, host, IsHole: hole);
    }

    public override void Read(in Extent extent, Span<byte> buffer) => ReadPayload(_file, extent.HostOffset, buffer);

    public void Write(long offset, ReadOnlySpan<byte> data) => _file.Write(HostOf(offset), data);

    public void WriteZeroes(long offset, long length, ZeroMode mode) => _file.WriteZeroes(HostOf(offset), length, mode);

    public void Discard(long offset, long length) => WriteZeroes(offset, length, ZeroMode.MayUnmap);

    public void Flush() => _file.Flush();

    private long HostOf(long offset) => FileOffset + (offset - Start);
}
