using System.Buffers;
using ImageCluster.Imaging.Compression;
using ImageCluster.Imaging.Formats.Filters.Debugging;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <content>Compressed clusters.</content>
internal sealed partial class WritableQcow2Image
{
    public void WriteCompressed(long offset, ReadOnlySpan<byte> data)
    {
        CheckRange(offset, data.Length);
        if (Metadata.HasDataFile || Metadata.Header.CryptMethod != CryptMethod.None)
        {
            throw new ImageException(ImageErrorKind.Unsupported, FileName, Metadata.HasDataFile
                ? "Compression is not possible with an external data file"
                : "Compression and encryption not supported at the same time");
        }

        int size = _layout.ClusterSize;
        if (!_layout.IsClusterAligned(offset) || (!_layout.IsClusterAligned(data.Length) && offset + data.Length != VirtualSize))
        {
            throw new ArgumentException($"Only whole clusters can be compressed (guest offset 0x{offset:x}, {data.Length} bytes).", nameof(data));
        }

        EnterShared();
        byte[] packed = ArrayPool<byte>.Shared.Rent(size);
        try
        {
            for (; data.Length > 0; offset += size)
            {
                ReadOnlySpan<byte> cluster = data[..Math.Min(size, data.Length)];
                WriteCompressedCluster(offset, cluster, packed);
                data = data[cluster.Length..];
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(packed);
            ExitShared();
        }
    }

    private void WriteCompressedCluster(long offset, ReadOnlySpan<byte> cluster, byte[] packed)
    {
        // zstd sees by itself what is not worth the time.
        bool worthIt = Metadata.Header.CompressionType != CompressionType.Zlib || !CompressionProbe.LooksIncompressible(cluster);
        int length = worthIt ? Compress(cluster, packed.AsSpan(0, _layout.ClusterSize - 1)) : 0;
        if (length == 0)
        {
            while (cluster.Length > 0)
            {
                int done = WriteSome(offset, cluster.Length, cluster);
                offset += done;
                cluster = cluster[done..];
            }

            return;
        }

        int l1Index = _layout.L1Index(offset);
        long host;
        lock (_gate)
        {
            Tables.Begin(offset, cluster.Length);
            _ = Tables.Open(l1Index);
            host = Tables.AllocateCompressed(length);
        }

        try
        {
            Metadata.File.Tell("write_compressed");
            Metadata.File.Write(host, packed.AsSpan(0, length));
        }
        catch
        {
            lock (_gate)
            {
                Tables.Allocator.Release(host, length);
            }

            throw;
        }

        lock (_gate)
        {
            Tables.ThrowIfFailed();
            L2Table table = Tables.Open(l1Index);
            int index = _layout.L2Index(offset);
            Free(ClusterEntry.Read(table, index, Metadata), discard: false);
            // The room may have been another compressed cluster's, with a descriptor of the same bits: who inflated that one before this
            // was written must not be taken for having this one.
            ForgetInflated();
            long furtherSectors = ((host + length - 1) / SectorSize) - (host / SectorSize);
            ulong word = Layout.CompressedFlag | ((ulong)furtherSectors << _layout.CompressedSectorsShift) | (ulong)host;
            new ClusterEntry(word, 0, 0, -1).Store(table, index, _layout);
            Tables.Changed(table, index, 1);
        }
    }

    // A last cluster that the disk ends in is filled up with zeros.
    private int Compress(ReadOnlySpan<byte> cluster, Span<byte> packed)
    {
        if (cluster.Length == _layout.ClusterSize)
        {
            return Codec.Compress(cluster, packed);
        }

        byte[] full = ArrayPool<byte>.Shared.Rent(_layout.ClusterSize);
        Span<byte> whole = full.AsSpan(0, _layout.ClusterSize);
        cluster.CopyTo(whole);
        whole[cluster.Length..].Clear();
        int length = Codec.Compress(whole, packed);
        ArrayPool<byte>.Shared.Return(full);
        return length;
    }
}
