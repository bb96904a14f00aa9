using System.Buffers;
using ImageCluster.Imaging.Compression;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>Reads compressed clusters, whole or in part. Safe from any number of threads.</summary>
internal sealed class CompressedClusters(IBlockFile file, Layout layout, IClusterCodec codec) : IDisposable
{
    private const int Kept = 4;

    /// <summary>
    /// Clusters that were inflated for a part of them: who reads in small pieces mostly wants the next piece of the same. One is taken out while it
    /// is used, so that two threads never touch one buffer.
    /// </summary>
    private readonly Inflated?[] _kept = new Inflated?[Kept];

    /// <summary>Goes up when what was inflated before is not to be trusted.</summary>
    private int _generation;

    /// <summary>Reads <paramref name="buffer"/>'s length of bytes from <paramref name="start"/> on of the cluster that an L2 entry describes.</summary>
    public void Read(ulong entry, int start, Span<byte> buffer)
    {
        if (buffer.Length == layout.ClusterSize)
        {
            Inflate(entry, buffer);
            return;
        }

        Inflated cluster = Take(entry);
        int generation = Volatile.Read(ref _generation);
        if (cluster.Entry != entry || cluster.Generation != generation)
        {
            cluster.Entry = 0;
            cluster.Generation = generation;
            Inflate(entry, cluster.Bytes);
            cluster.Entry = entry;
        }

        cluster.Bytes.AsSpan(start, buffer.Length).CopyTo(buffer);
        for (int i = 0; i < Kept && Interlocked.CompareExchange(ref _kept[i], cluster, null) is not null; i++)
        {
        }
    }

    /// <summary>What was inflated may be out of date: a writer reused room in the file.</summary>
    public void Forget() => Interlocked.Increment(ref _generation);

    public void Dispose() => codec.Dispose();

    // The cluster wanted where it is there, else any buffer.
    private Inflated Take(ulong entry)
    {
        for (int i = 0; i < Kept; i++)
        {
            if (Volatile.Read(ref _kept[i])?.Entry == entry && Interlocked.Exchange(ref _kept[i], null) is { } found)
            {
                return found;
            }
        }

        for (int i = Kept - 1; i >= 0; i--)
        {
            if (Interlocked.Exchange(ref _kept[i], null) is { } other)
            {
                return other;
            }
        }

        return new Inflated(layout.ClusterSize);
    }

    private void Inflate(ulong entry, Span<byte> cluster)
    {
        long offset = layout.CompressedOffset(entry);
        int length = layout.CompressedLength(entry);
        byte[] packed = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            // The last sector may be cut off where the file ends.
            int read = file.Read(offset, packed.AsSpan(0, length));
            if (read == 0)
            {
                throw new ImageException(ImageErrorKind.Truncated, file.Name, $"Compressed cluster at offset 0x{offset:x} lies beyond the end of the file");
            }

            codec.Decompress(packed.AsSpan(0, read), cluster);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(packed);
        }
    }

    private sealed class Inflated(int size)
    {
        public readonly byte[] Bytes = new byte[size];

        /// <summary>0 while there is nothing in it.</summary>
        public ulong Entry;

        public int Generation;
    }
}
