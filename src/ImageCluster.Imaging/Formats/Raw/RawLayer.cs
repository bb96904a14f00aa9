using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Formats.Raw;

/// <summary>A raw image, or the part of a file that the driver options offset and size select.</summary>
internal sealed class RawLayer : IWritableLayer, ICopyWriter, IResizable, IImageStatus
{
    private const int SectorSize = 512;
    private readonly IBlockFile _file;
    private readonly long _start;
    private readonly bool _fixedSize;
    private readonly bool _isProbed;

    private RawLayer(IBlockFile file, OpenContext context, long start, long? size)
    {
        _file = file;
        _start = start;
        _isProbed = context.IsProbed;
        FileName = context.FileName;
        _fixedSize = size.HasValue;
        VirtualSize = size ?? RoundUp(RoundUp(file.Length) - start);
    }

    public static RawLayer Open(OpenContext context)
    {
        try
        {
            OptionReader options = new(context.Options, context.FileName);
            long length = RoundUp(context.File.Length);
            ulong start = options.UnsignedSize("offset", 0);
            ulong? size = options.Text("size") is null ? null : options.UnsignedSize("size", 0);
            if (start > (ulong)length)
            {
                throw new ImageException(ImageErrorKind.InvalidArgument, context.FileName,
                    $"Offset ({start}) cannot be greater than size of the containing file ({length})");
            }

            if (size > (ulong)length - start)
            {
                throw new ImageException(ImageErrorKind.InvalidArgument, context.FileName,
                    $"The sum of offset ({start}) and size ({size}) has to be smaller or equal to the  actual size of the containing file ({length})");
            }

            if (size is { } given && given % SectorSize != 0)
            {
                throw new ImageException(ImageErrorKind.InvalidArgument, context.FileName, "Specified size is not multiple of 512");
            }

            return new RawLayer(context.File, context, (long)start, (long?)size);
        }
        catch
        {
            context.File.Dispose();
            throw;
        }
    }

    public string FormatName => "raw";

    public string FileName { get; }

    public long VirtualSize { get; private set; }

    public long Granularity => 1;

    public BackingReference? Backing => null;

    public long AllocatedBytes => _file.AllocatedBytes;

    public long ClusterSize => Below?.ClusterSize ?? 0;

    public bool IsDirty => Below?.IsDirty ?? false;

    public bool TellsDirty => Below?.TellsDirty ?? true;

    // What is asked of it is asked of the image whose disk is its file.
    private IImageStatus? Below => (_file as LayeredFile)?.Disk.Top as IImageStatus;

    public Extent Map(long offset, long length)
    {
        long inFile = _file.Length - _start - offset;
        if (inFile <= 0)
        {
            // The last sector's part that the file does not have.
            return new Extent(offset, length, ExtentKind.Zero, _file, _file is IAllocationStatus ? -1 : _start + offset, IsHole: true);
        }

        if (_file is IAllocationStatus status)
        {
            AllocationRange range = status.NextStatus(_start + offset, Math.Min(length, inFile));
            ExtentKind kind = range.IsZero ? ExtentKind.Zero : ExtentKind.Data;
            return new Extent(offset, range.Length, kind, _file, _start + offset, IsHole: !range.IsAllocated);
        }

        (long run, bool hole) = _file.NextRange(_start + offset, Math.Min(length, inFile));
        return new Extent(offset, run, hole ? ExtentKind.Zero : ExtentKind.Data, _file, _start + offset, hole);
    }

    public void Read(in Extent extent, Span<byte> buffer) => _file.ReadPadded(extent.HostOffset, buffer);

    /// <exception cref="ImageException">
    /// The format was guessed, and the first sector would look like another's: whoever guesses next time would open what the guest wrote there.
    /// </exception>
    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        if (_isProbed && offset < FormatRegistry.ProbeLength)
        {
            CheckFirstSector((int)offset, data);
        }

        _file.Write(_start + offset, data);
    }

    public int WriteCopied(long offset, int length, RangeCopier copy)
    {
        bool mustBeSeen = _isProbed && offset < FormatRegistry.ProbeLength;
        return !mustBeSeen && copy(offset, length, _file, _start + offset) ? length : 0;
    }

    public void WriteZeroes(long offset, long length, ZeroMode mode) => _file.WriteZeroes(_start + offset, length, mode);

    public void Discard(long offset, long length) => _file.WriteZeroes(_start + offset, length, ZeroMode.MayUnmap);

    public void Flush() => _file.Flush();

    public void Resize(long newSize, string preallocation, Action? hide = null)
    {
        if (_fixedSize)
        {
            throw new ImageException(ImageErrorKind.Unsupported, FileName, "Cannot resize fixed-size raw disks");
        }

        long old = _file.Length;
        newSize += _start;
        if (newSize < old && preallocation != "off")
        {
            throw new ImageException(ImageErrorKind.Unsupported, FileName, "Preallocation can't be used for shrinking files");
        }

        Preallocating.Require(preallocation, "", _file);
        FixedLength.Require(_file, newSize);
        if (preallocation is not ("off" or "falloc" or "full"))
        {
            throw new ImageException(ImageErrorKind.Unsupported, FileName, $"Unsupported preallocation mode: {preallocation}");
        }

        if (newSize <= old || preallocation != "falloc")
        {
            _file.SetLength(newSize);
        }

        if (newSize > old && preallocation != "off")
        {
            Preallocating.Run(preallocation, "", _file, () => Occupy(old, newSize, preallocation));
        }

        VirtualSize = RoundUp(newSize - _start);
    }

    // Where there is no room for it the file is as long as it was.
    private void Occupy(long from, long end, string preallocation)
    {
        try
        {
            if (preallocation == "falloc")
            {
                _file.Allocate(from, end - from);
            }
            else
            {
                _file.WriteZeroes(from, end - from, ZeroMode.KeepAllocated);
            }
        }
        catch (ImageException)
        {
            try
            {
                _file.SetLength(from);
            }
            catch (ImageException)
            {
                // What failed first is what is told.
            }

            throw;
        }
    }

    public FormatSpecificInfo? DescribeSpecific() => null;

    public void Dispose() => _file.Dispose();

    private void CheckFirstSector(int offset, ReadOnlySpan<byte> data)
    {
        Span<byte> sector = stackalloc byte[FormatRegistry.ProbeLength];
        _file.ReadPadded(_start, sector);
        data[..Math.Min(data.Length, sector.Length - offset)].CopyTo(sector[offset..]);
        if (FormatRegistry.Probe(sector, "") is not RawFormat)
        {
            throw new ImageException(ImageErrorKind.Policy, FileName, "Operation not permitted") { Errno = Errno.Perm };
        }
    }

    private static long RoundUp(long length) => (length + SectorSize - 1) & -SectorSize;
}
