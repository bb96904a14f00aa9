using System.Buffers;
using ImageCluster.Imaging.Encryption;
using ImageCluster.Imaging.Encryption.Luks;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Luks;

/// <summary>An open LUKS image: sectors are decrypted as they are read and encrypted as they are written.</summary>
internal sealed class LuksLayer : IWritableLayer, IResizable, IAmendable, IImageStatus
{
    private const int SectorLength = SectorCipher.SectorLength;
    private const int PieceLength = 256 << 10;

    private readonly IBlockFile _file;
    private readonly LuksVolume _volume;
    private readonly SectorCipher? _cipher;
    private readonly Lock _partialSectors = new();

    private LuksLayer(IBlockFile file, string fileName, LuksVolume volume)
    {
        _file = file;
        _volume = volume;
        _cipher = volume.IsUnlocked ? volume.CreateCipher() : null;
        FileName = fileName;
        long size = RoundUp(file.Length) - Payload;
        VirtualSize = size >= 0
            ? size
            : throw new ImageException(ImageErrorKind.Truncated, fileName, "Could not refresh total sector count: Input/output error");
    }

    public static LuksLayer Open(OpenContext context)
    {
        LuksVolume? volume = null;
        try
        {
            byte[]? password = context.DescribeOnly ? null : Passwords.Require(context.Secret, "key-secret", context.FileName);
            volume = LuksVolume.Open(context.File, 0, long.MaxValue);
            if (password is not null)
            {
                volume.Unlock(password);
            }

            return new LuksLayer(context.File, context.FileName, volume);
        }
        catch
        {
            volume?.Dispose();
            context.File.Dispose();
            throw;
        }
    }

    public string FormatName => "luks";

    public string FileName { get; }

    public long VirtualSize { get; private set; }

    /// <summary>Any byte can be written by itself; the rest of its sector is kept.</summary>
    public long Granularity => 1;

    public BackingReference? Backing => null;

    public long AllocatedBytes => _file.AllocatedBytes;

    public long ClusterSize => 0;

    public bool IsEncrypted => true;

    private long Payload => _volume.Header.PayloadOffset;

    private SectorCipher Cipher => _cipher ?? throw new ImageException(ImageErrorKind.Secret, FileName, "Parameter 'key-secret' is required for cipher");

    /// <remarks>No place in the file is given: the bytes do not stand there as they are.</remarks>
    public Extent Map(long offset, long length) => new(offset, length, ExtentKind.Data);

    public void Read(in Extent extent, Span<byte> buffer)
    {
        long offset = extent.Start;
        int before = (int)(offset & (SectorLength - 1));
        if (before == 0)
        {
            int whole = buffer.Length & -SectorLength;
            ReadSectors(offset, buffer[..whole]);
            offset += whole;
            buffer = buffer[whole..];
        }

        if (buffer.Length == 0)
        {
            return;
        }

        int length = (int)RoundUp(before + buffer.Length);
        byte[] sectors = ArrayPool<byte>.Shared.Rent(length);
        ReadSectors(offset - before, sectors.AsSpan(0, length));
        sectors.AsSpan(before, buffer.Length).CopyTo(buffer);
        ArrayPool<byte>.Shared.Return(sectors);
    }

    public void Write(long offset, ReadOnlySpan<byte> data) => Write(offset, data.Length, data);

    /// <summary>Zeros are encrypted as any other data.</summary>
    public void WriteZeroes(long offset, long length, ZeroMode mode) => Write(offset, length, default);

    /// <summary>Does nothing: what the file system gave back would decrypt to noise.</summary>
    public void Discard(long offset, long length)
    {
    }

    public void Flush() => _file.Flush();

    public void Resize(long newSize, string preallocation, Action? hide = null)
    {
        if (!_file.CanResize)
        {
            throw new ImageException(ImageErrorKind.Unsupported, FileName, "Cannot resize a device");
        }

        if (newSize < 0 || newSize > long.MaxValue - SectorLength - Payload)
        {
            throw new ImageException(ImageErrorKind.Limit, FileName, "The requested file size is too large");
        }

        long old = _file.Length;
        long length = Payload + newSize;
        if (length < old && preallocation != "off")
        {
            throw new ImageException(ImageErrorKind.Unsupported, FileName, "Preallocation can't be used for shrinking files");
        }

        if (preallocation == "metadata")
        {
            throw new ImageException(ImageErrorKind.Unsupported, FileName, "Unsupported preallocation mode 'metadata'");
        }

        _file.SetLength(length);
        if (length > old && preallocation == "falloc")
        {
            _file.Allocate(old, length - old);
        }
        else if (length > old && preallocation == "full")
        {
            _file.WriteZeroes(old, length - old, ZeroMode.KeepAllocated);
        }

        VirtualSize = RoundUp(newSize);
    }

    public void Amend(AmendRequest request)
    {
        (_file as LocalFile)?.LockAlone();
        new LuksAmendment(_volume, request, "", FileName).Apply();
    }

    public FormatSpecificInfo? DescribeSpecific() => LuksDescriber.Add(new FormatSpecificInfo("luks"), _volume);

    public void Dispose()
    {
        _cipher?.Dispose();
        _volume.Dispose();
        _file.Dispose();
    }

    private static long RoundUp(long length) => (length + SectorLength - 1) & -SectorLength;

    private void ReadSectors(long offset, Span<byte> sectors)
    {
        if (sectors.Length > 0)
        {
            SectorCipher cipher = Cipher;
            _file.ReadPadded(Payload + offset, sectors);
            cipher.Decrypt(offset / SectorLength, sectors);
        }
    }

    // Without data, zeros.
    private void Write(long offset, long length, ReadOnlySpan<byte> data)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent((int)Math.Min(PieceLength, RoundUp(length) + SectorLength));
        try
        {
            while (length > 0)
            {
                int before = (int)(offset & (SectorLength - 1));
                int part = (int)(before > 0 || length < SectorLength
                    ? Math.Min(length, SectorLength - before)
                    : Math.Min(length & -SectorLength, PieceLength));
                ReadOnlySpan<byte> from = data.IsEmpty ? data : data[..part];
                if (part % SectorLength != 0)
                {
                    // Another thread may write another part of the sector.
                    lock (_partialSectors)
                    {
                        Span<byte> sector = buffer.AsSpan(0, SectorLength);
                        ReadSectors(offset - before, sector);
                        WriteSectors(offset - before, sector, sector.Slice(before, part), from);
                    }
                }
                else
                {
                    WriteSectors(offset, buffer.AsSpan(0, part), buffer.AsSpan(0, part), from);
                }

                offset += part;
                length -= part;
                data = data.IsEmpty ? data : data[part..];
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    // Puts the data into its place within the sectors, encrypts and writes these.
    private void WriteSectors(long offset, Span<byte> sectors, Span<byte> place, ReadOnlySpan<byte> data)
    {
        if (data.IsEmpty)
        {
            place.Clear();
        }
        else
        {
            data.CopyTo(place);
        }

        Cipher.Encrypt(offset / SectorLength, sectors);
        _file.Write(Payload + offset, sectors);
    }
}
