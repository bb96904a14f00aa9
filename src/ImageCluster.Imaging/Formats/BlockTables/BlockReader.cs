using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.BlockTables;

/// <summary>
/// An image file that is cut into equal blocks and can say of each where it stands: joins what continues, reads from the file and
/// owns it. What remains for a format is <see cref="Look"/>.
/// </summary>
internal abstract class BlockReader : IImageLayer, IImageStatus
{
    // So many blocks are looked at before an answer is given; a caller asks again for the rest.
    private const int MaxLooks = 8192;

    protected BlockReader(OpenContext context)
    {
        File = context.File;
        FileName = context.FileName;
    }

    public abstract string FormatName { get; }

    public string FileName { get; }

    public long VirtualSize { get; protected set; }

    public abstract long Granularity { get; }

    public virtual BackingReference? Backing => null;

    public long AllocatedBytes => File.AllocatedBytes;

    public virtual long ClusterSize => Granularity;

    protected IBlockFile File { get; }

    public Extent Map(long offset, long length)
    {
        Extent found = Look(offset, length);
        for (int looks = 1; found.Length < length && looks < MaxLooks; looks++)
        {
            Extent next = Look(found.End, length - found.Length);
            if (!found.Joins(next))
            {
                break;
            }

            found = found with { Length = found.Length + next.Length };
        }

        return found;
    }

    /// <summary>What stands at an offset, for at most <paramref name="length"/> bytes and as far as one entry says.</summary>
    protected abstract Extent Look(long offset, long length);

    public virtual void Read(in Extent extent, Span<byte> buffer) => File.ReadExactly(extent.HostOffset, buffer, "guest data");

    public virtual FormatSpecificInfo? DescribeSpecific() => null;

    public virtual void Dispose()
    {
        File.Dispose();
        GC.SuppressFinalize(this);
    }

    protected ImageException Corrupt(string message) => new(ImageErrorKind.Corrupt, FileName, message);
}
