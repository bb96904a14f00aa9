using ImageCluster.Imaging.Storage.Direct;
using ImageCluster.Imaging.Storage.Native;
using Microsoft.Win32.SafeHandles;

namespace ImageCluster.Imaging.Storage;

/// <summary>
/// A block device of this machine (Linux). Its size is fixed and it has no holes to report. A character device is taken too, as QEMU
/// does: it has no length, so there is nothing to read.
/// </summary>
public sealed class LocalBlockDevice : LocalFile
{
    private readonly int _sectorSize;

    internal LocalBlockDevice(string name, SafeFileHandle handle, OpenMode mode, DirectIo? direct)
        : base(name, handle, mode, direct)
    {
        _sectorSize = Math.Max(512, HostFile.SectorSize(handle));
    }

    public override bool CanResize => false;

    public override bool HasFixedSize => true;

    public override long Length => HostFile.DeviceLength(Handle);

    /// <summary>0: what a device occupies elsewhere is not known; qemu-img says the same.</summary>
    public override long AllocatedBytes => 0;

    public override int Read(long offset, Span<byte> buffer)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        long left = Math.Max(0, Length - offset);
        return base.Read(offset, left < buffer.Length ? buffer[..(int)left] : buffer);
    }

    public override void Write(long offset, ReadOnlySpan<byte> data)
    {
        CheckEnd(offset, data.Length);
        base.Write(offset, data);
    }

    public override void WriteZeroes(long offset, long length, ZeroMode mode)
    {
        CheckRange(offset, length);
        RequireWritable();
        CheckEnd(offset, length);
        (long start, long end) = WholeSectors(offset, length);
        if (start >= end)
        {
            WriteZeroBytes(offset, length);
            return;
        }

        WriteZeroBytes(offset, start - offset);
        if (!TryZeroSectors(start, end - start, mode))
        {
            WriteZeroBytes(start, end - start);
        }

        WriteZeroBytes(end, offset + length - end);
        MakeDurable();
    }

    public override void Discard(long offset, long length)
    {
        CheckRange(offset, length);
        RequireWritable();
        CheckEnd(offset, length);
        (long start, long end) = WholeSectors(offset, length);
        if (start < end)
        {
            int errno = HostFile.DeviceRange(Handle, LibC.BlkDiscard, start, end - start);
            ThrowUnlessUnsupported(errno, $"Could not discard {length} bytes at offset {offset}");
        }
    }

    /// <summary>
    /// A device keeps its length: a smaller one is taken without effect (as QEMU's inexact truncation, so that formats need not know), a larger
    /// one refused. Who means to resize asks <see cref="CanResize"/> first.
    /// </summary>
    public override void SetLength(long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        if (length > Length)
        {
            throw new ImageException(ImageErrorKind.NoSpace, Name, "Cannot grow device files") { Errno = Errno.Inval };
        }
    }

    /// <summary>A device has its space; only that the range lies in it is checked.</summary>
    public override void Allocate(long offset, long length)
    {
        CheckRange(offset, length);
        RequireWritable();
        CheckEnd(offset, length);
    }

    public override (long Length, bool IsHole) NextRange(long offset, long length)
    {
        CheckRange(offset, length);
        ArgumentOutOfRangeException.ThrowIfZero(length);
        return (length, false);
    }

    public override bool TryCopyFrom(IBlockFile source, long sourceOffset, long offset, long length) => false;

    private bool TryZeroSectors(long start, long length, ZeroMode mode)
    {
        string what = $"Could not zero {length} bytes at offset {start}";
        if (mode == ZeroMode.MayUnmap)
        {
            int punched = HostFile.Allocate(Handle, LibC.FallocPunchHole | LibC.FallocKeepSize, start, length);
            ThrowUnlessUnsupported(punched, what);
            if (punched == 0)
            {
                return true;
            }
        }

        int errno = HostFile.DeviceRange(Handle, LibC.BlkZeroOut, start, length);
        ThrowUnlessUnsupported(errno, what);
        return errno == 0;
    }

    private (long Start, long End) WholeSectors(long offset, long length)
    {
        long mask = _sectorSize - 1;
        long start = offset > long.MaxValue - mask ? long.MaxValue : (offset + mask) & ~mask;
        return (start, (offset + length) & ~mask);
    }

    private void CheckEnd(long offset, long length)
    {
        long end = Length;
        if (offset > end || length > end - offset)
        {
            throw new ImageException(ImageErrorKind.NoSpace, Name, $"Offset {offset} with {length} bytes lies beyond the device's end at {end}")
            {
                Errno = Errno.NoSpc,
            };
        }
    }
}
