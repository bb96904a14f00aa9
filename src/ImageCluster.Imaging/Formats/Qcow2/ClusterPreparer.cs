using System.Buffers;
using ImageCluster.Imaging.Compression;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// Cuts a run into compressed clusters, clusters that do not compress, and zeros. Safe from any number of threads, each with a run of its
/// own.
/// </summary>
internal sealed class ClusterPreparer : IDisposable
{
    private readonly IClusterCodec _codec;
    private readonly int _clusterSize;
    private readonly bool _probe;

    /// <param name="header">The image.</param>
    /// <param name="file">For messages.</param>
    public ClusterPreparer(Header header, string? file)
    {
        _clusterSize = 1 << header.ClusterBits;
        _codec = header.CompressionType == CompressionType.Zstd ? ClusterCodecs.Zstd(file) : ClusterCodecs.Deflate(file);

        // zstd itself gives up early on what does not compress.
        _probe = header.CompressionType == CompressionType.Zlib;
    }

    public void Prepare(FillRun run)
    {
        // A cluster is stored compressed only where that makes it smaller, so this is room for all.
        int clusters = (run.Length + _clusterSize - 1) / _clusterSize;
        Span<byte> room = run.CompressedRoom(clusters * _clusterSize);
        int used = 0;
        for (int start = 0; start < run.Length; start += _clusterSize)
        {
            ReadOnlySpan<byte> cluster = run.Data.Slice(start, Math.Min(_clusterSize, run.Length - start));
            if (run.SparseSize > 0 && ZeroScan.IsZero(cluster))
            {
                if (run.StateZeroes)
                {
                    Add(run, FillPieceKind.Zero, start, cluster.Length, 0, 0);
                }

                continue;
            }

            int packed = Compress(cluster, room.Slice(used, _clusterSize - 1));
            if (packed > 0)
            {
                run.Pieces.Add(new FillPiece
                {
                    Kind = FillPieceKind.Compressed,
                    Start = start,
                    Length = cluster.Length,
                    PayloadStart = used,
                    PayloadLength = packed,
                });
                used += packed;
            }
            else
            {
                Add(run, FillPieceKind.Data, start, cluster.Length, start, cluster.Length);
            }
        }
    }

    public void Dispose() => _codec.Dispose();

    private int Compress(ReadOnlySpan<byte> cluster, Span<byte> target)
    {
        if (cluster.Length == _clusterSize)
        {
            return _probe && CompressionProbe.LooksIncompressible(cluster) ? 0 : _codec.Compress(cluster, target);
        }

        // Where the disk ends in the middle of a cluster, zeros follow: readers inflate whole clusters.
        byte[] whole = ArrayPool<byte>.Shared.Rent(_clusterSize);
        cluster.CopyTo(whole);
        whole.AsSpan(cluster.Length, _clusterSize - cluster.Length).Clear();
        int packed = _codec.Compress(whole.AsSpan(0, _clusterSize), target);
        ArrayPool<byte>.Shared.Return(whole);
        return packed;
    }

    // Pieces of one kind that follow each other become one.
    private static void Add(FillRun run, FillPieceKind kind, int start, int length, int payloadStart, int payloadLength)
    {
        if (run.Pieces.Count > 0 && run.Pieces[^1] is { } last && last.Kind == kind && last.Start + last.Length == start)
        {
            last.Length += length;
            last.PayloadLength += payloadLength;
            run.Pieces[^1] = last;
            return;
        }

        run.Pieces.Add(new FillPiece { Kind = kind, Start = start, Length = length, PayloadStart = payloadStart, PayloadLength = payloadLength });
    }
}
