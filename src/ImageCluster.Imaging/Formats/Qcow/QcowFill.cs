using System.Buffers;
using ImageCluster.Imaging.Compression;
using ImageCluster.Imaging.Encryption;
using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow;

/// <summary>Fills a new qcow image: plain, compressed or encrypted.</summary>
internal sealed class QcowFill : TwoLevelFill
{
    private readonly QcowLayout _layout;
    private readonly IClusterCodec? _codec;
    private readonly SectorCipher? _cipher;

    private QcowFill(IBlockFile file, CreateRequest request, QcowLayout layout)
        : base(file, request, layout.FillLayout, layout.Shape, layout.Header.BackingName is not null)
    {
        _layout = layout;
        _codec = layout.Compress ? ClusterCodecs.Deflate(request.FileName) : null;
        _cipher = layout.Password is { } password ? LegacyAes.Create(password) : null;
    }

    public static IFillTarget Create(CreateRequest request)
    {
        QcowLayout layout = new(request);
        return new QcowFill(QcowCreator.CreateFile(request, layout), request, layout);
    }

    public static IFillTarget Open(CreateRequest request)
    {
        QcowLayout layout = new(request);
        return new QcowFill(request.Locator.Open(request.FileName, request.Mode), request, layout);
    }

    public override void Prepare(FillRun run)
    {
        base.Prepare(run);
        if (_codec is not null && !run.ExplicitZero)
        {
            Compress(run);
        }
    }

    public override void Reserve(FillRun run, IRoom room)
    {
        if (_codec is null || run.ExplicitZero)
        {
            base.Reserve(run, room);
            return;
        }

        // Cluster by cluster in the guest's order, whether it got smaller or not.
        for (int i = 0; i < run.Pieces.Count; i++)
        {
            FillPiece piece = run.Pieces[i];
            long offset = run.Offset + piece.Start;
            if (piece.Kind == FillPieceKind.Compressed)
            {
                int length = piece.PayloadLength;
                Put(offset / Layout.BlockSize, (_, room) => piece.HostOffset = ReserveCompressed(room, length), room);
                piece.HostOffset = QcowEntry.Decode((ulong)piece.HostOffset, _layout.Header.ClusterBits).Offset;
                run.Pieces[i] = piece;
            }
            else
            {
                ReserveBlocks(offset, piece.Length, room);
            }
        }
    }

    public override void Write(FillRun run)
    {
        base.Write(run);
        foreach (FillPiece piece in run.Pieces)
        {
            if (piece.Kind == FillPieceKind.Compressed)
            {
                File.Write(piece.HostOffset, run.Payload(piece));
            }
            else if (piece.Kind == FillPieceKind.Zero && _cipher is not null)
            {
                WriteEncryptedZeroes(run.Offset + piece.Start, piece.Length);
            }
        }

        if (run.ExplicitZero && _cipher is not null)
        {
            WriteEncryptedZeroes(run.Offset, run.Length);
        }
    }

    public override void Dispose()
    {
        _codec?.Dispose();
        _cipher?.Dispose();
        base.Dispose();
    }

    /// <summary>The format has no word for zeros: they get clusters, which read as zeros without being written.</summary>
    protected override void ReserveZero(long offset, long length, IRoom room) => ReserveBlocks(offset, length, room);

    protected override void WriteBytes(long offset, long host, ReadOnlySpan<byte> data)
    {
        if (_cipher is null)
        {
            File.Write(host, data);
            return;
        }

        byte[] sectors = ArrayPool<byte>.Shared.Rent(data.Length);
        try
        {
            data.CopyTo(sectors);
            _cipher.Encrypt(offset / SectorCipher.SectorLength, sectors.AsSpan(0, data.Length));
            File.Write(host, sectors.AsSpan(0, data.Length));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(sectors, clearArray: true);
        }
    }

    protected override RoomExtent RoomOf(long place)
    {
        if (!QcowEntry.IsCompressed((ulong)place))
        {
            return base.RoomOf(place);
        }

        (long offset, int length) = QcowEntry.Decode((ulong)place, _layout.Header.ClusterBits);
        return new RoomExtent(offset, length);
    }

    protected override ulong EntryOf(long place) => (ulong)place;

    protected override void WriteHeader() => File.Write(0, _layout.Header.Encode());

    private long ReserveCompressed(IRoom room, int length) =>
        (long)QcowEntry.Compressed(room.Reserve(length, 1), length, _layout.Header.ClusterBits);

    // Cuts data into clusters and compresses each; the one that does not get smaller stays as it is.
    private void Compress(FillRun run)
    {
        int clusterSize = _layout.Header.ClusterSize;
        FillPiece[] pieces = [.. run.Pieces];
        run.Pieces.Clear();
        int used = 0;
        Span<byte> last = stackalloc byte[clusterSize];
        foreach (FillPiece piece in pieces)
        {
            for (int at = piece.Start; at < piece.Start + piece.Length; at += clusterSize)
            {
                int length = Math.Min(clusterSize, piece.Start + piece.Length - at);
                FillPiece cluster = new() { Kind = piece.Kind, Start = at, Length = length, PayloadStart = at, PayloadLength = length };
                if (piece.Kind == FillPieceKind.Data)
                {
                    scoped ReadOnlySpan<byte> bytes = run.Data.Slice(at, length);
                    if (length < clusterSize)
                    {
                        last.Clear();
                        bytes.CopyTo(last);
                        bytes = last;
                    }

                    int packed = _codec!.Compress(bytes, run.CompressedRoom(used + clusterSize).Slice(used, clusterSize - 1));
                    if (packed > 0)
                    {
                        cluster = cluster with { Kind = FillPieceKind.Compressed, PayloadStart = used, PayloadLength = packed };
                        used += packed;
                    }
                }

                run.Pieces.Add(cluster);
            }
        }
    }

    private void WriteEncryptedZeroes(long offset, int length)
    {
        byte[] zeros = new byte[Math.Min(length, 256 << 10)];
        for (int at = 0; at < length; at += zeros.Length)
        {
            WriteData(offset + at, zeros.AsSpan(0, Math.Min(zeros.Length, length - at)));
        }
    }
}
