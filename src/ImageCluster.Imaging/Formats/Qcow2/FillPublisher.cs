using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// Keeps the manifests of a new image's shards and, in the end, writes refcounts, L1 table and header from them. Only what is published is counted:
/// room that was handed out and lost stays free. Costs memory by shards, not by clusters.
/// </summary>
/// <param name="image">The image.</param>
/// <param name="file">Its file.</param>
internal sealed class FillPublisher(NewImage image, IBlockFile file)
{
    private readonly Layout _layout = image.Layout;
    private readonly Dictionary<long, ShardManifest> _shards = [];

    public void Publish(ShardManifest manifest)
    {
        lock (_shards)
        {
            _shards[manifest.Shard] = manifest;
        }
    }

    /// <summary>Makes the file an image. Payload and tables are on stable storage already.</summary>
    public void Finish()
    {
        long end = HighestEnd();
        NewImageSpace space = image.Space;
        if (RefcountMath.DivideUp(end, _layout.ClusterSize) > space.End)
        {
            // Room that came from elsewhere.
            space.SkipTo(RefcountMath.DivideUp(end, _layout.ClusterSize));
        }

        (ClusterRanges once, ClusterRanges all) = CountedClusters();
        PackedCounter? packed = PackedShards() is { Count: > 0 } shards ? new PackedCounter(file, _layout, shards) : null;
        AddRefcountStructures(all);
        space.PlaceMissingBlocks(all);
        AddRefcountStructures(once);
        byte[] header = HeaderWriter.Write(image.Header, file.Name);
        RefcountWriter.Write(file, _layout, space.RefcountBlocks, space.RefcountTable, space.RefcountTableClusters, once, packed is null ? null : packed.AddTo);
        image.WriteL1(file, Tables());
        SetLength(end);
        HeaderWriter.WriteLast(file, header);
    }

    // Clusters that are referred to once, and these with those that are packed.
    private (ClusterRanges Once, ClusterRanges All) CountedClusters()
    {
        List<(long Start, long End, bool Packed)> extents = [];
        foreach (ShardManifest shard in _shards.Values)
        {
            foreach (RoomExtent room in shard.Rooms)
            {
                extents.Add((room.Start >> _layout.ClusterBits, RefcountMath.DivideUp(room.Start + room.Length, _layout.ClusterSize), room.References == 0));
            }
        }

        // In order, so that each goes behind the last.
        extents.Sort();
        ClusterRanges once = image.OwnClusters();
        ClusterRanges all = image.OwnClusters();
        foreach ((long start, long end, bool isPacked) in extents)
        {
            all.Add(start, end);
            if (!isPacked)
            {
                once.Add(start, end);
            }
        }

        return (once, all);
    }

    private void AddRefcountStructures(ClusterRanges to)
    {
        NewImageSpace space = image.Space;
        to.Add(space.RefcountTable, space.RefcountTable + space.RefcountTableClusters);
        foreach (long block in space.RefcountBlocks.Values)
        {
            to.Add(block, block + 1);
        }
    }

    private List<ShardManifest> PackedShards() => [.. _shards.Values.Where(shard => shard.Rooms.Any(room => room.References == 0))];

    private long HighestEnd()
    {
        long end = 0;
        foreach (ShardManifest shard in _shards.Values)
        {
            foreach (RoomExtent room in shard.Rooms)
            {
                end = Math.Max(end, room.Start + room.Length);
            }
        }

        return end;
    }

    private long[] Tables()
    {
        long[] tables = new long[image.Header.L1Entries];
        image.TableOffsets.CopyTo(tables, 0);
        foreach (ShardManifest shard in _shards.Values)
        {
            long first = shard.Shard * (FillShape.ShardLengthOf(_layout) >> _layout.L2TableShift);
            for (int i = 0; i < shard.Tables.Count; i++)
            {
                tables[first + i] = shard.Tables[i];
            }
        }

        return tables;
    }

    // The last cluster (or subcluster) is whole, the last compressed one padded to a sector, whatever was written of them.
    private void SetLength(long end)
    {
        if (!file.CanResize)
        {
            return;
        }

        long now = file.Length;
        long length = (end + 511) & ~511L;
        if (_layout.HasSubclusters)
        {
            length = Math.Min(length, (now + _layout.SubclusterSize - 1) & -_layout.SubclusterSize);
        }

        if (now < length)
        {
            file.SetLength(length);
        }
    }
}
