using System.Buffers;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Filters.Debugging;
using ImageCluster.Imaging.Formats.Filters.Several;
using ImageCluster.Imaging.Operations;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Filters;

/// <summary>The disk below as it is; see <see cref="FilterFormat"/>. Owns the file.</summary>
internal sealed class FilterLayer : IWritableLayer, IResizable, IImageStatus
{
    private const int SectorSize = 512;

    private readonly IBlockFile _file;
    private readonly LayeredFile? _image;
    private readonly bool _isPlaced;
    private readonly ICompressedWriter? _compressor;
    private readonly Lock _compressing = new();

    public FilterLayer(string name, OpenContext context)
    {
        FormatName = name;
        FileName = context.FileName;
        _image = context.File as LayeredFile;
        _file = FileOf(name, context);
        _isPlaced = name != FilterFormat.Quorum;
        _compressor = name == FilterFormat.Compress && context.Write ? _image?.Disk.Top as ICompressedWriter : null;
        VirtualSize = RoundUp(_file.Length);
    }

    public string FormatName { get; }

    public string FileName { get; }

    public long VirtualSize { get; private set; }

    public long Granularity => _compressor is null ? 1 : _image!.Disk.Top.Granularity;

    public BackingReference? Backing => null;

    public long AllocatedBytes => _file.AllocatedBytes;

    /// <summary>The image below; null where it is a file, or where there are several of one rank.</summary>
    public LayeredFile? Image => _isPlaced ? _image : null;

    /// <summary>What an image that lies on this node has for its file, where the node is more than the disk below; null otherwise.</summary>
    public IBlockFile? OwnFile => _file as BlkdebugFile;

    public long ClusterSize => _isPlaced && _image?.Disk.Top is IImageStatus status ? status.ClusterSize : 0;

    public bool TellsDirty => _isPlaced;

    public bool IsDirty => _isPlaced && _image?.Disk.Top is IImageStatus { IsDirty: true };

    public Extent Map(long offset, long length)
    {
        long inFile = _file.Length - offset;
        if (inFile <= 0)
        {
            return new Extent(offset, length, ExtentKind.Zero, _file, Place(offset), IsHole: true);
        }

        (long run, bool hole) = _file.NextRange(offset, Math.Min(length, inFile));
        return new Extent(offset, run, hole ? ExtentKind.Zero : ExtentKind.Data, _file, Place(offset), hole);
    }

    public void Read(in Extent extent, Span<byte> buffer) => ReadThrough(extent.Start, buffer);

    /// <summary>Reads without asking first what is there.</summary>
    public void ReadThrough(long offset, Span<byte> buffer) => _file.ReadPadded(offset, buffer);

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        if (_compressor is null)
        {
            _file.Write(offset, data);
            return;
        }

        lock (_compressing)
        {
            WriteCompressed(offset, data);
        }
    }

    public void WriteZeroes(long offset, long length, ZeroMode mode) => _file.WriteZeroes(offset, length, mode);

    public void Discard(long offset, long length) => _file.Discard(offset, length);

    public void Flush() => _file.Flush();

    public void Resize(long newSize, string preallocation, Action? hide = null)
    {
        if (_isPlaced && _image is { Disk.Top: IResizable })
        {
            // With what a longer backing file would show.
            Resizer.Resize(_image.Disk, newSize, preallocation);
        }
        else
        {
            _file.SetLength(newSize);
        }

        VirtualSize = RoundUp(_file.Length);
    }

    public FormatSpecificInfo? DescribeSpecific() => null;

    public void Dispose() => _file.Dispose();

    private static IBlockFile FileOf(string name, OpenContext context) => name switch
    {
        FilterFormat.Blkdebug => new BlkdebugFile(context.File, BlkdebugOptions.Name(context), BlkdebugOptions.Read(context)),
        FilterFormat.Blkverify => new VerifiedFile(context.File, context.Others[0]),
        FilterFormat.Quorum => new QuorumFile([context.File, .. context.Others], QuorumSettings.Read(context.Options, context.Others.Count + 1)),
        _ => context.File,
    };

    // What lies in several files is in none.
    private long Place(long offset) => _isPlaced ? offset : -1;

    // Only whole units can be compressed: what is written is put into what is there.
    private void WriteCompressed(long offset, ReadOnlySpan<byte> data)
    {
        long unit = Granularity;
        byte[] buffer = ArrayPool<byte>.Shared.Rent((int)unit);
        try
        {
            while (data.Length > 0)
            {
                long start = offset / unit * unit;
                int length = (int)Math.Min(unit, VirtualSize - start);
                int inside = (int)(offset - start);
                int part = Math.Min(length - inside, data.Length);
                Span<byte> whole = buffer.AsSpan(0, length);
                if (part < length)
                {
                    _file.ReadPadded(start, whole);
                }

                data[..part].CopyTo(whole[inside..]);
                _compressor!.WriteCompressed(start, whole);
                data = data[part..];
                offset += part;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static long RoundUp(long length) => (length + SectorSize - 1) & -SectorSize;
}
