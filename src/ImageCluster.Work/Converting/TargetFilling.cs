using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Operations;
using ImageCluster.Imaging.Operations.Converting;
using ImageCluster.Jobs.Execution;

namespace ImageCluster.Work.Converting;

/// <summary>
/// Fills shards of a target from a disk and says of each what came of it. The one way in which guest bytes get into a target, whether one process
/// fills all of it by many threads or a worker fills a shard.
/// </summary>
public sealed class TargetFilling
{
    private readonly IFillTarget _target;
    private readonly DigestingTarget? _digesting;
    private readonly CountingSource _source;
    private readonly FillingOptions _options;

    /// <param name="target">The target. Not owned.</param>
    /// <param name="disk">The source. Not owned.</param>
    /// <param name="options">How.</param>
    public TargetFilling(IFillTarget target, LayeredDisk disk, FillingOptions options)
    {
        _target = target;
        _options = options;
        _digesting = options.TakesDigest && !options.KeepsChain && DigestingTarget.CanWrap(target) ? new DigestingTarget(target) : null;
        long unit = ConvertTarget.IsWhole(target) ? long.MaxValue : target.ShardLength;
        _source = new CountingSource(SourceOf(disk, options.KeepsChain), unit, options.BytesRead ?? (static _ => { }));
    }

    /// <summary>What is read of a disk: all of it, or its top alone where the target stands on the target of what the source stands on.</summary>
    public static DiskSource SourceOf(LayeredDisk disk, bool keepsChain) =>
        new(disk, keepsChain ? 1 : disk.Layers.Count, keepsChain ? disk.Layers[1].VirtualSize : null);

    /// <summary>Fills shards of a target that can be filled shard by shard.</summary>
    /// <param name="first">The first.</param>
    /// <param name="end">The one behind the last.</param>
    /// <param name="room">Where payload and tables go.</param>
    /// <param name="filled">Called, from any thread but one at a time, with each shard that is filled; it is durable once the target is flushed.</param>
    /// <param name="cancel">Looked at between runs.</param>
    public void Fill(long first, long end, IRoom room, Action<ShardResult> filled, CancellationToken cancel)
    {
        if (_target.VirtualSize == 0)
        {
            filled(new ShardResult { Shard = 0 });
            return;
        }

        Convert(room, (shard, manifest) =>
        {
            long read = _source.Take(shard);
            filled(new ShardResult
            {
                Shard = shard,
                Manifest = manifest,
                Digest = _digesting is null ? [] : [.. _digesting.TakeDigest(shard)],
                BytesRead = read,
                BytesWritten = manifest is { DataBytes: > 0 } ? manifest.DataBytes : read,
            });
        }).Run(first, end, cancel);
    }

    /// <summary>Fills the whole target in guest order and makes its file whole.</summary>
    public ShardResult FillWhole(CancellationToken cancel)
    {
        List<ShardManifest> manifests = [];
        var digest = new GuestDigestTree(_target.VirtualSize);
        Converter converter = Convert(_target.Room, (shard, manifest) =>
        {
            manifests.AddRange(manifest is null ? [] : [manifest]);
            digest.Add(_digesting?.TakeDigest(shard) ?? []);
        });
        converter.Run(cancel);
        manifests.ForEach(_target.Publish);
        _target.Finish();
        long read = _source.Take(0);
        return new ShardResult
        {
            Shard = 0,
            Digest = _digesting is null ? [] : [digest.Top()],
            BytesRead = read,
            BytesWritten = manifests.Sum(manifest => manifest.DataBytes) is > 0 and var written ? written : read,
        };
    }

    private Converter Convert(IRoom room, Action<long, ShardManifest?> closed) => new(
        _source,
        _digesting ?? _target,
        new ConvertOptions
        {
            Threads = _options.Threads,
            OutOfOrder = _options.OutOfOrder,
            Throttle = _options.Throttle,
            IsShardDone = _options.IsShardDone,
            ShardClosed = closed,
        },
        room);
}
