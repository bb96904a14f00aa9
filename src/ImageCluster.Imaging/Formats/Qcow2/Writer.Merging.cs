using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <content>Merging shards, which several processes write at once.</content>
internal sealed partial class WritableQcow2Image : IMergeOwner, IMergeShard
{
    /// <summary>Host offsets are below 2^56.</summary>
    private const long EndOfOffsets = 1L << 56;

    public MergeRoom StartMerge() => Alone(() =>
    {
        if (MergeShardLength == 0)
        {
            throw new ImageException(ImageErrorKind.Unsupported, FileName, "Shards cannot be merged into this image: one process must write all of it");
        }

        // Also what could wait, such as postponed refcounts.
        Tables.Begin();
        Tables.Finish();
        long start = Tables.Refcounts.EndOfUsed((Metadata.File.Length + _layout.ClusterSize - 1) >> _layout.ClusterBits) << _layout.ClusterBits;
        Tables.Guard(() => Mark(AutoclearFeatures.Merging));
        return new MergeRoom(start, _layout.ClusterSize, EndOfOffsets);
    });

    public ShardManifest? MergedShard(long shard, long shardLength)
    {
        lock (_gate)
        {
            return ((ShardTableWriter)Tables).Manifest(shard, shard * shardLength, shardLength);
        }
    }

    public void FinishMerge(IReadOnlyCollection<ShardManifest> manifests, long shardLength, MergeRoom room)
    {
        long shardTables = shardLength >> _layout.L2TableShift;
        bool begunBefore = Alone(() =>
        {
            Tables.ThrowIfFailed();
            MergePublisher publisher = new(Metadata, Tables.Refcounts, Tables.Allocator);
            if (!IsMerging && !publisher.IsPublished(manifests, shardTables))
            {
                throw WrittenTo();
            }

            bool before = HasBegunToTakeIn;
            if (IsMerging)
            {
                Tables.Guard(() =>
                {
                    Mark(AutoclearFeatures.Merging | AutoclearFeatures.TakingIn);
                    publisher.Publish(manifests, shardTables, room);
                });
            }

            return before;
        });
        if (begunBefore)
        {
            // What an attempt that was lost had switched over, it may not have freed.
            Check(CheckRepair.Leaks);
        }

        EndMerging();
    }

    public void AbandonMerge(MergeRoom? room)
    {
        if (!IsMerging)
        {
            return;
        }

        if (room is { Start: var start })
        {
            if (HasBegunToTakeIn)
            {
                Check(CheckRepair.Leaks);
            }

            long first = start >> _layout.ClusterBits;
            long end = Alone(() => Tables.Refcounts.EndOfUsed(first)) << _layout.ClusterBits;
            if (Metadata.File.Length > end)
            {
                Metadata.File.SetLength(end);
            }
        }

        EndMerging();
    }

    /// <summary>Refuses to merge a shard into an image that is not, or no longer, waiting for any.</summary>
    public void RequireMerging()
    {
        if (!IsMerging)
        {
            throw WrittenTo();
        }
    }

    private void EndMerging() => Alone(() =>
    {
        if (IsMerging)
        {
            Tables.Guard(() => Mark(AutoclearFeatures.None));
        }

        return 0;
    });

    private bool HasBegunToTakeIn => IsMerging && (Metadata.Header.Autoclear & AutoclearFeatures.TakingIn) != 0;

    private void Mark(AutoclearFeatures marks)
    {
        AutoclearFeatures features = (Metadata.Header.Autoclear & AutoclearFeatures.Known) | marks;
        HeaderPatch.WriteAutoclear(Metadata.File, features);
        Metadata.File.Flush();
        Metadata.Header = Metadata.Header with { Autoclear = features };
    }

    // Of an image that was opened for a shard nothing else can be changed.
    private void RequireWhole()
    {
        if (_room is not null)
        {
            throw new InvalidOperationException("The image was opened to merge a shard.");
        }
    }

    private ImageException WrittenTo() => new(ImageErrorKind.InvalidArgument, FileName,
        "Another program has written to the image since shards were first merged into it: what was merged no longer fits");
}
