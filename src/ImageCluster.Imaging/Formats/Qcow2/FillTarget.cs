using System.Buffers;
using System.Collections.Concurrent;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// Fills a new qcow2 image. With room taken in guest order from <see cref="Room"/> the file has the layout that qemu-img convert gives it.
/// Until <see cref="Finish"/> its first cluster is empty: it is no qcow2 image.
/// </summary>
internal sealed class Qcow2Fill : IFillTarget
{
    private const int RunLength = 256 << 10;
    private const int QemuRequestLength = 2 << 20;

    private readonly IBlockFile _file;
    private readonly IBlockFile? _data;
    private readonly NewImage _image;
    private readonly FillShape _shape;
    private readonly ClusterPreparer? _compressor;
    private readonly ConcurrentDictionary<long, FillShard> _shards = new();
    private readonly FillPublisher _publisher;

    /// <param name="image">The image that is being made.</param>
    /// <param name="file">Its file, owned from here on.</param>
    /// <param name="data">Its external data file, owned from here on, or null.</param>
    /// <param name="compress">Clusters are to be compressed.</param>
    public Qcow2Fill(NewImage image, IBlockFile file, IBlockFile? data, bool compress)
    {
        _image = image;
        _file = file;
        _data = data;
        Room = new FillRoom(image.Space, image.Layout);
        _shape = new FillShape(image.Header, Room);
        _publisher = new FillPublisher(image, file);
        _compressor = compress ? new ClusterPreparer(image.Header, file.Name) : null;
    }

    /// <summary>What the clusters are encrypted with, owned from here on; null where they are not.</summary>
    public ISectorCipher? Cipher { get; init; }

    public long VirtualSize => _shape.VirtualSize;

    public int Granularity => _compressor is null ? _shape.Layout.SubclusterSize : _shape.Layout.ClusterSize;

    public long ShardLength => _shape.ShardLength;

    /// <summary>
    /// Small enough for the processor's caches; with small clusters QEMU's own 2 MiB, because there the place of refcount blocks depends on
    /// where requests end.
    /// </summary>
    public int PreferredRunLength => _shape.Layout.ClusterSize < 65536 ? QemuRequestLength : Math.Max(RunLength, _shape.Layout.ClusterSize);

    public bool ShardsIndependent => true;

    /// <summary>Preallocated clusters of an encrypted image decrypt to noise.</summary>
    public bool UnwrittenIsZero => (Cipher is null || !_image.IsPreallocated) && _image.Header.BackingFile is null && (!_image.Header.IsDataFileRaw || _data!.CanResize);

    public bool TakesCopies => Cipher is null && _compressor is null;

    public IRoom Room { get; }

    public void Prepare(FillRun run)
    {
        if (run.ExplicitZero)
        {
            run.Pieces.Add(new FillPiece { Kind = FillPieceKind.Zero, Length = run.Length });
        }
        else if (_compressor is not null)
        {
            _compressor.Prepare(run);
        }
        else
        {
            SparseCutter.Cut(run, Granularity);
        }
    }

    public void Reserve(FillRun run, IRoom room)
    {
        if (run.Pieces.Count == 0)
        {
            return;
        }

        long number = run.Offset / ShardLength;
        FillShard shard = _shards.GetOrAdd(number, static (n, self) => self.OpenShard(n), this);
        lock (shard)
        {
            shard.Reserve(run, room);
        }
    }

    public void Write(FillRun run)
    {
        List<FillPiece> pieces = run.Pieces;
        for (int i = 0; i < pieces.Count;)
        {
            FillPiece first = pieces[i];
            if (first.Kind == FillPieceKind.Zero)
            {
                i++;
                if (first.HostOffset >= 0)
                {
                    WriteZeroes(run.Offset + first.Start, first.HostOffset, first.Length);
                }

                continue;
            }

            // Neighbours in the buffer that are neighbours in the file go in one write.
            int length = first.PayloadLength;
            for (i++; i < pieces.Count && Continues(first, length, pieces[i]); i++)
            {
                length += pieces[i].PayloadLength;
            }

            if (!run.TryCopy(first.Start, length, _data ?? _file, first.HostOffset))
            {
                WriteData(run.Offset + first.Start, first.HostOffset, run.Payload(first with { PayloadLength = length }));
            }
        }
    }

    public ShardManifest? CloseShard(long shard) => _shards.TryRemove(shard, out FillShard? open) ? open.Close(_file) : null;

    public void Publish(ShardManifest manifest) => _publisher.Publish(manifest);

    public void Flush()
    {
        _data?.Flush();
        _file.Flush();
    }

    public void Finish()
    {
        Flush();
        _publisher.Finish();
    }

    public void Dispose()
    {
        Cipher?.Dispose();
        _compressor?.Dispose();
        _data?.Dispose();
        _file.Dispose();
    }

    private void WriteZeroes(long guestOffset, long hostOffset, int length)
    {
        if (Cipher is null)
        {
            (_data ?? _file).WriteZeroes(hostOffset, length, ZeroMode.MayUnmap);
        }
        else
        {
            WriteEncrypted(guestOffset, hostOffset, length, default);
        }
    }

    private void WriteData(long guestOffset, long hostOffset, ReadOnlySpan<byte> data)
    {
        if (Cipher is null)
        {
            (_data ?? _file).Write(hostOffset, data);
        }
        else
        {
            WriteEncrypted(guestOffset, hostOffset, data.Length, data);
        }
    }

    // Without data, zeros. A piece at a time: the run's own bytes stay as they are.
    private void WriteEncrypted(long guestOffset, long hostOffset, int length, ReadOnlySpan<byte> data)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(Math.Min(length, RunLength));
        try
        {
            for (int at = 0; at < length; at += RunLength)
            {
                Span<byte> piece = buffer.AsSpan(0, Math.Min(length - at, RunLength));
                if (data.IsEmpty)
                {
                    piece.Clear();
                }
                else
                {
                    data.Slice(at, piece.Length).CopyTo(piece);
                }

                Cipher!.Encrypt(guestOffset + at, hostOffset + at, piece);
                (_data ?? _file).Write(hostOffset + at, piece);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private FillShard OpenShard(long number) => new(_shape, number, _image.IsPreallocated ? _image : null);

    private static bool Continues(in FillPiece first, int length, in FillPiece next) =>
        next.Kind == first.Kind && next.PayloadStart == first.PayloadStart + length && next.HostOffset == first.HostOffset + length;
}
