using System.Buffers;
using ImageCluster.Imaging.Encryption;
using ImageCluster.Imaging.Encryption.Luks;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Luks;

/// <summary>Fills a LUKS image: every byte has its place, zeros are written (encrypted) as all else. Until <see cref="Finish"/> the header has no magic.</summary>
internal sealed class LuksFill(IBlockFile file, LuksVolume volume, long virtualSize) : IFillTarget
{
    private const int PieceLength = 256 << 10;

    private readonly SectorCipher _cipher = volume.CreateCipher();
    private readonly long _payload = volume.Header.PayloadOffset;

    public long VirtualSize => virtualSize;

    public int Granularity => SectorCipher.SectorLength;

    public long ShardLength => 512L << 20;

    public int PreferredRunLength => PieceLength;

    public bool ShardsIndependent => true;

    /// <summary>What is never written decrypts to noise.</summary>
    public bool UnwrittenIsZero => false;

    public bool ReservesRoom => false;

    public IRoom Room => NoRoom.Instance;

    public void Prepare(FillRun run)
    {
        if (!run.ExplicitZero)
        {
            SparseCutter.Cut(run, Granularity);
        }
    }

    public void Reserve(FillRun run, IRoom room)
    {
    }

    public void Write(FillRun run)
    {
        if (run.ExplicitZero)
        {
            WriteEncrypted(run.Offset, run.Length, default);
            return;
        }

        foreach (FillPiece piece in run.Pieces)
        {
            WriteEncrypted(run.Offset + piece.Start, piece.Length, piece.Kind == FillPieceKind.Zero ? default : run.Payload(piece));
        }
    }

    public ShardManifest? CloseShard(long shard) => new(shard, [], [], 0);

    public void Publish(ShardManifest manifest)
    {
    }

    public void Flush() => file.Flush();

    public void Finish()
    {
        file.Flush();
        volume.Complete();
        file.Flush();
    }

    public void Dispose()
    {
        _cipher.Dispose();
        volume.Dispose();
        file.Dispose();
    }

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
