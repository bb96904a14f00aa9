using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Filling;

/// <summary>
/// An image that is there already, filled by writing in place (<c>convert -n</c>, devices, restores): the layer's own writer does what
/// reserving and publishing do for a new image. Owns the disk.
/// </summary>
/// <param name="disk">The image, open for writing.</param>
/// <param name="compress">Store data compressed, where the layer can (<see cref="ICompressedWriter"/>).</param>
/// <param name="length">Bytes that are filled, from the disk's start on; null for all. The rest is left as it is.</param>
/// <param name="shardLength">Bytes of a shard; null for <see cref="InPlaceShardLength"/>.</param>
public sealed class InPlaceTarget(LayeredDisk disk, long? length = null, bool compress = false, long? shardLength = null) : IFillTarget
{
    public long VirtualSize { get; } = length ?? disk.VirtualSize;

    /// <summary>What is compressed are whole clusters, whatever smaller parts of them can be written.</summary>
    public int Granularity => (int)Math.Clamp(compress && disk.Top is IImageStatus { ClusterSize: > 0 and var cluster } ? cluster : disk.Top.Granularity, 512, 2 << 20);

    /// <summary><see cref="ShardLength"/>, whatever the image.</summary>
    public const long InPlaceShardLength = 512L << 20;

    public long ShardLength { get; } = shardLength ?? InPlaceShardLength;

    public int PreferredRunLength => Math.Max(1 << 20, Granularity);

    public bool ShardsIndependent => false;

    public bool UnwrittenIsZero => false;

    /// <summary>Where writing allocates, runs are written in order: the image's layout does not depend on the threads.</summary>
    public bool ReservesRoom => disk.Top.Granularity > 1;

    public bool TakesCopies => !compress && disk.Top.FormatName is "raw" or "qcow2" && disk.Top is not IImageStatus { IsEncrypted: true };

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
        if (ReservesRoom)
        {
            WriteRun(run);
        }
    }

    public void Write(FillRun run)
    {
        if (!ReservesRoom)
        {
            WriteRun(run);
        }
    }

    public ShardManifest? CloseShard(long shard) => null;

    public void Publish(ShardManifest manifest)
    {
    }

    public void Flush() => disk.Flush();

    public void Finish() => disk.Flush();

    public void Dispose() => disk.Dispose();

    private void WriteRun(FillRun run)
    {
        try
        {
            WritePieces(run);
        }
        catch (ImageException)
        {
            disk.NoteFailure();
            throw;
        }
    }

    private void WritePieces(FillRun run)
    {
        if (run.ExplicitZero)
        {
            disk.WriteZeroes(run.Offset, run.Length, ZeroMode.MayUnmap);
            return;
        }

        foreach (FillPiece piece in run.Pieces)
        {
            if (piece.Kind == FillPieceKind.Zero)
            {
                disk.WriteZeroes(run.Offset + piece.Start, piece.Length, ZeroMode.MayUnmap);
            }
            else if (run.IsToBeCopied)
            {
                CopyData(run, piece);
            }
            else
            {
                WriteData(run.Offset + piece.Start, run.Payload(piece));
            }
        }
    }

    // What the storage does not copy is written.
    private void CopyData(FillRun run, FillPiece piece)
    {
        long offset = run.Offset + piece.Start;
        int done = (disk.Top as ICopyWriter)?.WriteCopied(offset, piece.Length, (guest, length, file, at) => run.TryCopy((int)(guest - run.Offset), (int)length, file, at)) ?? 0;
        if (done < piece.Length)
        {
            disk.Write(offset + done, run.Payload(piece)[done..]);
        }
    }

    private void WriteData(long offset, ReadOnlySpan<byte> data)
    {
        if (compress && disk.Top is ICompressedWriter writer)
        {
            writer.WriteCompressed(offset, data);
        }
        else if (disk.ZeroDetection is not null)
        {
            WriteByUnits(offset, data);
        }
        else
        {
            disk.Write(offset, data);
        }
    }

    // A run is longer than what is all zeros or none of it.
    private void WriteByUnits(long offset, ReadOnlySpan<byte> data)
    {
        while (data.Length > 0)
        {
            bool isZero = ZeroScan.IsZero(UnitAt(offset, data));
            int length = 0;
            while (length < data.Length && ZeroScan.IsZero(UnitAt(offset + length, data[length..])) == isZero)
            {
                length += UnitAt(offset + length, data[length..]).Length;
            }

            disk.Write(offset, data[..length]);
            offset += length;
            data = data[length..];
        }
    }

    // To the end of the unit that the offset lies in.
    private ReadOnlySpan<byte> UnitAt(long offset, ReadOnlySpan<byte> data)
    {
        int unit = Math.Max(Granularity, 4 << 10);
        return data[..(int)Math.Min(data.Length, unit - (offset % unit))];
    }
}
