using System.Buffers;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Filters.Several;

/// <summary>
/// QEMU's blkverify (docs/devel/blkverify.txt): every request goes to an image and to a raw copy of it, which must answer alike. Owns both.
/// </summary>
/// <param name="raw">The copy.</param>
/// <param name="image">The image to be verified; the disk has its size.</param>
internal sealed class VerifiedFile(IBlockFile raw, IBlockFile image) : IBlockFile
{
    // Zeros are written as bytes: what writes zeros as such is not what is to be verified.
    private const int ZeroChunk = 1 << 20;

    public string Name => raw.Name;

    public long Length => image.Length;

    public bool CanWrite => raw.CanWrite && image.CanWrite;

    public bool CanResize => raw.CanResize;

    /// <summary>As with QEMU, it does not tell.</summary>
    public long AllocatedBytes => raw.Length;

    public int Read(long offset, Span<byte> buffer)
    {
        byte[] rented = ArrayPool<byte>.Shared.Rent(buffer.Length);
        try
        {
            Span<byte> copy = rented.AsSpan(0, buffer.Length);
            int count = 0;
            ImageException? ofImage = null;
            ImageException? ofRaw = null;
            try
            {
                count = image.Read(offset, buffer);
            }
            catch (ImageException e)
            {
                ofImage = e;
            }

            try
            {
                ReadCopy(offset, copy[..count]);
            }
            catch (ImageException e)
            {
                ofRaw = e;
            }

            CheckOutcome("read", offset, buffer.Length, ofImage, ofRaw);
            int same = buffer[..count].CommonPrefixLength(copy[..count]);
            return same == count
                ? count
                : throw new DisagreementException($"blkverify: read offset={offset} bytes={count} contents mismatch at offset {offset + same}");
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        ImageException? ofImage = null;
        ImageException? ofRaw = null;
        try
        {
            image.Write(offset, data);
        }
        catch (ImageException e)
        {
            ofImage = e;
        }

        try
        {
            raw.Write(offset, data);
        }
        catch (ImageException e)
        {
            ofRaw = e;
        }

        CheckOutcome("write", offset, data.Length, ofImage, ofRaw);
    }

    public void WriteZeroes(long offset, long length, ZeroMode mode)
    {
        byte[] zeros = new byte[Math.Min(length, ZeroChunk)];
        while (length > 0)
        {
            int part = (int)Math.Min(length, zeros.Length);
            Write(offset, zeros.AsSpan(0, part));
            offset += part;
            length -= part;
        }
    }

    /// <summary>Does nothing: what is there afterwards may differ.</summary>
    public void Discard(long offset, long length)
    {
    }

    /// <summary>Of the copy alone, as QEMU has it.</summary>
    public void SetLength(long length) => raw.SetLength(length);

    public void Allocate(long offset, long length) => raw.Allocate(offset, length);

    /// <summary>The copy is there to be compared with, not to be kept.</summary>
    public void Flush() => image.Flush();

    /// <summary>As the copy has it.</summary>
    public (long Length, bool IsHole) NextRange(long offset, long length)
    {
        long inRaw = raw.Length - offset;
        return inRaw > 0 ? raw.NextRange(offset, Math.Min(length, inRaw)) : (length, false);
    }

    public void Dispose()
    {
        try
        {
            image.Dispose();
        }
        finally
        {
            raw.Dispose();
        }
    }

    // What lies beyond the copy's end cannot be verified.
    private void ReadCopy(long offset, Span<byte> buffer)
    {
        if (raw.Read(offset, buffer) < buffer.Length)
        {
            throw new ImageException(ImageErrorKind.Io, raw.Name, "Input/output error") { Errno = Storage.Native.Errno.IO };
        }
    }

    private static void CheckOutcome(string access, long offset, int length, ImageException? ofImage, ImageException? ofRaw)
    {
        int first = ofImage is null ? 0 : -NumberOf(ofImage);
        int second = ofRaw is null ? 0 : -NumberOf(ofRaw);
        if (first != second)
        {
            throw new DisagreementException($"blkverify: {access} offset={offset} bytes={length} return value mismatch {first} != {second}");
        }

        if (ofImage is not null)
        {
            throw ofImage;
        }
    }

    private static int NumberOf(ImageException failure) => failure.Errno != 0 ? failure.Errno : Storage.Native.Errno.IO;
}
