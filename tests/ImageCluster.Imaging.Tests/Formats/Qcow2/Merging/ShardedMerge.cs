using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Formats.Qcow2;
using ImageCluster.Imaging.Operations.Committing;
using ImageCluster.Imaging.Operations.Converting;
using ImageCluster.Imaging.Operations.Rebasing;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2.Merging;

/// <summary>A commit (into the base) or a rebase (of the top), done by shards as a cluster does: in any order, with attempts that are lost on the way.</summary>
internal sealed class ShardedMerge(MergeCase images, bool rebases, Random random)
{
    private readonly Dictionary<long, ShardManifest> _manifests = [];

    /// <summary>The image that is merged into.</summary>
    public string Target => rebases ? images.Top : images.Base;

    public MergeRoom Room { get; private set; }

    public long ShardLength { get; private set; }

    /// <summary>Attempts that did not come to their end.</summary>
    public int Lost { get; private set; }

    /// <summary>In any order.</summary>
    public IReadOnlyCollection<ShardManifest> Manifests => [.. _manifests.Values.OrderBy(_ => random.Next())];

    public void Run(IFileLocator files)
    {
        Start(files);
        Merge(files);
        Finish(files);
    }

    public void Start(IFileLocator files)
    {
        using LayeredDisk disk = Open(files, null);
        if (!rebases)
        {
            new Committer(disk, 1, new ConvertOptions()).Grow();
        }

        IImageLayer layer = disk.Layers[rebases ? 0 : 1];
        ShardLength = ((WritableQcow2Image)layer).Metadata.Layout.L2TableSpan * (1 + random.Next(2));
        Room = ((IMergeOwner)layer).StartMerge();
    }

    public void Merge(IFileLocator files)
    {
        MergeRoomKeeper keeper = new(Room, random);
        long[] shards = [.. Enumerable.Range(0, (int)((images.Size + ShardLength - 1) / ShardLength)).Select(shard => (long)shard).OrderBy(_ => random.Next())];
        foreach (long shard in shards)
        {
            while (random.Next(3) == 0)
            {
                // Lost at some write, or done and never heard of.
                FaultPlan plan = FaultPlan.FailCall(StorageCall.Write, random.Next(1, 12));
                try
                {
                    _ = MergeShard(FakeLocator.Failing(files, plan), shard, keeper.Attempt());
                }
                catch (ImageException) when (plan.Fired)
                {
                    Lost++;
                }
            }

            if (MergeShard(files, shard, keeper.Attempt()) is { } manifest)
            {
                _manifests[shard] = manifest;
            }
        }
    }

    public void Finish(IFileLocator files)
    {
        using IImageLayer layer = new ChainOpener(files).OpenLayer(Target, new ChainOptions { Format = "qcow2", Mode = OpenMode.ReadWrite });
        ((IMergeOwner)layer).FinishMerge(Manifests, ShardLength, Room);
    }

    public void Abandon(IFileLocator files)
    {
        using IImageLayer layer = new ChainOpener(files).OpenLayer(Target, new ChainOptions { Format = "qcow2", Mode = OpenMode.ReadWrite });
        ((IMergeOwner)layer).AbandonMerge(Room);
    }

    public ShardManifest? MergeShard(IFileLocator files, long shard, IRoom room)
    {
        using LayeredDisk disk = Open(files, room);
        if (!rebases)
        {
            new Committer(disk, 1, new ConvertOptions { Threads = 1 }, ShardLength).Run(shard, shard + 1, CancellationToken.None);
            return ((IMergeShard)disk.Layers[1]).MergedShard(shard, ShardLength);
        }

        using LayeredDisk other = new ChainOpener(files).Open(images.Other, new ChainOptions { Format = "raw" });
        new Rebaser(disk, other, new RebaseOptions { Threads = 1 }).Run(shard * ShardLength, Math.Min(images.Size, (shard + 1) * ShardLength), CancellationToken.None);
        disk.Flush();
        return ((IMergeShard)disk.Top).MergedShard(shard, ShardLength);
    }

    private LayeredDisk Open(IFileLocator files, IRoom? room) => new ChainOpener(files).Open(images.Top, new ChainOptions
    {
        Mode = OpenMode.ReadWrite with { Lock = room is null ? ImageLock.Default : ImageLock.SharedWrite },
        WritableLayers = rebases ? 1 : 0,
        WritableBase = rebases ? null : 1,
        Room = room,
    });
}
