using System.Buffers.Binary;
using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// Takes shards into an image that they were merged into: (1) their clusters and tables count one reference each, (2) L1 entries refer to the new tables, (3) what
/// these replace loses a reference; each durable before the next begins. Whatever the instant of a crash, no table refers to a free cluster. Each part may be done
/// again.
/// </summary>
internal sealed class MergePublisher(Metadata metadata, Refcounts refcounts, Allocator allocator)
{
    /// <summary>Room that waits to be free is not let grow beyond this.</summary>
    private const long NotedBudget = 64L << 20;

    private readonly Layout _layout = metadata.Layout;

    /// <summary>True where all of the shards' tables are the image's.</summary>
    public bool IsPublished(IEnumerable<ShardManifest> manifests, long shardTables) =>
        manifests.SelectMany(manifest => TablesOf(manifest, shardTables)).All(table => Current(table.L1Index) == table.Offset);

    /// <param name="manifests">The shards.</param>
    /// <param name="shardTables">L2 tables of a shard.</param>
    /// <param name="room">Where they found room.</param>
    public void Publish(IReadOnlyCollection<ShardManifest> manifests, long shardTables, MergeRoom room)
    {
        Claim(manifests, room);
        foreach (ShardManifest manifest in manifests)
        {
            Publish(manifest, shardTables);
            if (allocator.NotedBytes > NotedBudget)
            {
                Free();
            }
        }

        Free();
        refcounts.Write();
        metadata.File.Flush();
    }

    private void Claim(IReadOnlyCollection<ShardManifest> manifests, MergeRoom room)
    {
        long end = 0;
        foreach (RoomExtent extent in manifests.SelectMany(manifest => manifest.Rooms))
        {
            if (extent.Length <= 0 || !_layout.IsClusterAligned(extent.Start | extent.Length) || extent.Start < room.Start || extent.Length > room.End - extent.Start)
            {
                throw Wrong($"{extent.Length} bytes at 0x{extent.Start:x} are no room of a shard");
            }

            end = Math.Max(end, extent.Start + extent.Length);
        }

        // Refcount blocks go before the shards' room or behind it.
        refcounts.KeepOut(room.Start >> _layout.ClusterBits, end >> _layout.ClusterBits);
        foreach (RoomExtent extent in manifests.SelectMany(manifest => manifest.Rooms))
        {
            refcounts.Claim(extent.Start >> _layout.ClusterBits, extent.Length >> _layout.ClusterBits);
        }

        refcounts.Write();
        metadata.File.Flush();
    }

    private void Publish(ShardManifest manifest, long shardTables)
    {
        ClusterRanges left = new();
        foreach (RoomExtent extent in manifest.Rooms)
        {
            left.Add(extent.Start >> _layout.ClusterBits, (extent.Start + extent.Length) >> _layout.ClusterBits);
        }

        List<(int L1Index, long Offset)> tables = [.. TablesOf(manifest, shardTables).Where(table => Current(table.L1Index) != table.Offset)];
        foreach ((int l1Index, long offset) in tables)
        {
            Take(left, offset);
            Exchange(left, l1Index, offset);
        }

        foreach ((int l1Index, long offset) in tables)
        {
            Switch(l1Index, offset);
        }
    }

    // What the new table refers to and the old one did not is the shard's; what only the old one referred to loses that reference.
    private void Exchange(ClusterRanges left, int l1Index, long offset)
    {
        L2Table fresh = metadata.L2.Get(offset);
        L2Table? old = Current(l1Index) is var current and not 0 ? metadata.L2.Get(current) : null;
        for (int index = 0; index < _layout.L2Entries; index++)
        {
            ClusterEntry now = ClusterEntry.Read(fresh, index, metadata);
            ClusterEntry before = old is null ? ClusterEntry.Absent : ClusterEntry.Read(old, index, metadata);
            if (now == before)
            {
                continue;
            }

            if (now.IsCompressed)
            {
                throw Wrong($"a compressed cluster (L1 index {l1Index}, L2 index {index})");
            }

            if (now.Host >= 0 && now.Host == before.Host)
            {
                continue;
            }

            if (now.Host >= 0 && metadata.HasDataFile)
            {
                long guest = ((long)l1Index << _layout.L2TableShift) + ((long)index << _layout.ClusterBits);
                if (now.Host != guest)
                {
                    throw Wrong($"cluster 0x{now.Host:x} of the data file for guest offset 0x{guest:x}");
                }
            }
            else if (now.Host >= 0)
            {
                Take(left, now.Host);
            }

            allocator.FreeLater(before, discard: now.Host < 0);
            if (now.Host < 0 && before.Host >= 0 && metadata.HasDataFile)
            {
                allocator.DiscardDataLater(before.Host);
            }
        }

        if (old is not null)
        {
            allocator.FreeLater(old.HostOffset, _layout.ClusterSize, discard: false);
        }
    }

    private void Take(ClusterRanges left, long host)
    {
        long cluster = host >> _layout.ClusterBits;
        if (!_layout.IsClusterAligned(host) || left.FreeAt(cluster, 1) > 0)
        {
            throw Wrong($"cluster 0x{host:x}, which is not its own");
        }

        left.Remove(cluster, cluster + 1);
    }

    private void Switch(int l1Index, long offset)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        ulong entry = (ulong)offset | Layout.CopiedFlag;
        BinaryPrimitives.WriteUInt64BigEndian(bytes, entry);
        metadata.File.Write(metadata.Header.L1Offset + ((long)l1Index * sizeof(ulong)), bytes);
        Volatile.Write(ref metadata.L1[l1Index], entry);
    }

    private void Free()
    {
        metadata.File.Flush();
        allocator.FreeNoted();
    }

    private IEnumerable<(int L1Index, long Offset)> TablesOf(ShardManifest manifest, long shardTables)
    {
        for (int i = 0; i < manifest.Tables.Count; i++)
        {
            if (manifest.Tables[i] == 0)
            {
                continue;
            }

            Int128 index = ((Int128)manifest.Shard * shardTables) + i;
            if (i >= shardTables || index < 0 || index >= metadata.L1.Length)
            {
                throw Wrong($"table {i} of shard {manifest.Shard}");
            }

            yield return ((int)index, manifest.Tables[i]);
        }
    }

    private long Current(int l1Index) => (long)(metadata.L1[l1Index] & Layout.OffsetMask);

    private ImageException Wrong(string what) =>
        new(ImageErrorKind.InvalidArgument, metadata.File.Name, $"What was merged cannot be taken in: it names {what}");
}
