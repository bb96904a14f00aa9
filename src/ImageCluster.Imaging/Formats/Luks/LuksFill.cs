using System.Buffers;
using ImageCluster.Imaging.Encryption;
using ImageCluster.Imaging.Encryption.Luks;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Luks;

/// <summary>Fills a LUKS image: every byte has its place, zeros are written (encrypted) as all else. Until <see cref="Finish"/> the header has no magic.</summary>
internal sealed class LuksFill(IBlockFile file, LuksVolume volume, long virtualSize) : PlacedFill(virtualSize)
{
    private const int PieceLength = 256 << 10;

    private readonly SectorCipher _cipher = volume.CreateCipher();
    private readonly long _payload = volume.Header.PayloadOffset;

    /// <summary>What is never written decrypts to noise.</summary>
    public override bool UnwrittenIsZero => false;

    public override void Flush() => file.Flush();

    public override void Finish()
    {
        file.Flush();
        volume.Complete();
        file.Flush();
    }

    public override void Dispose()
    {
        _cipher.Dispose();
        volume.Dispose();
        file.Dispose();
    }

    protected override void Write(long offset, ReadOnlySpan<byte> data) => WriteEncrypted(offset, data.Length, data);

    protected override void WriteZeroes(long offset, long length) => WriteEncrypted(offset, length, default);

    // Without data, zeros.
    private void WriteEncrypted(long offset, long length, ReadOnlySpan<byte> data)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent((int)Math.Min(PieceLength, length));
        try
        {
            while (length > 0)
            {
                Span<byte> piece = buffer.AsSpan(0, (int)Math.Min(PieceLength, length));
                if (data.IsEmpty)
                {
                    piece.Clear();
                }
                else
                {
                    data[..piece.Length].CopyTo(piece);
                    data = data[piece.Length..];
                }

                _cipher.Encrypt(offset / SectorCipher.SectorLength, piece);
                file.Write(_payload + offset, piece);
                offset += piece.Length;
                length -= piece.Length;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
