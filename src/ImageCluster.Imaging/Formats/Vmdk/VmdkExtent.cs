using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>A part of the guest's disk: one line of the descriptor, or the one extent of a file that carries its descriptor.</summary>
internal abstract class VmdkExtent : IDisposable
{
    /// <param name="start">Guest offset, bytes.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="file">The file that holds it; null where there is none.</param>
    /// <param name="lineType">The type that the descriptor's line states; empty where there is no line.</param>
    protected VmdkExtent(long start, long length, IBlockFile? file, string lineType)
    {
        Start = start;
        Length = length;
        File = file;
        LineType = lineType;
    }

    public long Start { get; }

    public long Length { get; }

    public long End => Start + Length;

    public IBlockFile? File { get; }

    public string LineType { get; }

    /// <summary>The descriptor forbids writing (access RDONLY).</summary>
    public bool ReadOnly { get; init; }

    /// <summary>Bytes of a grain; 0 where there are none.</summary>
    public virtual long GrainBytes => 0;

    public virtual bool Compressed => false;

    /// <summary>As <see cref="IImageLayer.Map"/>, in guest offsets of the disk; the range lies in the extent.</summary>
    public abstract Extent Map(long offset, long length);

    /// <summary>As <see cref="IImageLayer.Read"/>.</summary>
    public abstract void Read(in Extent extent, Span<byte> buffer);

    public void Dispose() => File?.Dispose();

    /// <summary>Reads payload. A file that ends before it is truncated, within a sector too, where QEMU reads zeros for what is lost.</summary>
    protected static void ReadPayload(IBlockFile file, long offset, Span<byte> buffer) => file.ReadExactly(offset, buffer, "data");
}
