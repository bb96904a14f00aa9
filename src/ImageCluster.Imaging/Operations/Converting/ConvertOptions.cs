using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Imaging.Operations.Converting;

/// <summary>How a conversion is run.</summary>
public sealed record ConvertOptions
{
    /// <summary>Threads that read, compress and write, 1 or more.</summary>
    public int Threads { get; init; } = Math.Clamp(Environment.ProcessorCount, 1, 16);

    /// <inheritdoc cref="FillRun.SparseSize"/>
    public int SparseSize { get; init; } = 4096;

    /// <summary>The target holds zeros already where nothing is written (<c>--target-is-zero</c>), whatever it says itself.</summary>
    public bool TargetIsZero { get; init; }

    /// <summary>
    /// Let the storage copy data by itself where it can (<c>-C</c>): zeros within data are then not looked for. After the first range that it cannot
    /// copy it is not asked again.
    /// </summary>
    public bool CopyRanges { get; init; }

    /// <summary>Room is taken in whatever order runs come (<c>-W</c>): the target's layout then differs from run to run.</summary>
    public bool OutOfOrder { get; init; }

    /// <summary>Called with the guest offset and the error where a read fails; true to go on with zeros (<c>--salvage</c>). Null fails the conversion.</summary>
    public Func<long, ImageException, bool>? OnReadError { get; init; }

    /// <summary>As <see cref="OnReadError"/>, where what stands at an offset cannot be told: true to try to read the sector there.</summary>
    public Func<long, ImageException, bool>? OnMapError { get; init; }

    /// <summary>Called, from any thread, with the guest bytes done since the last call: read and written, or found to be nothing to do.</summary>
    public Action<long>? Progress { get; init; }

    /// <summary>Called before so many bytes are read, from any thread; returns when they may be (rate limit).</summary>
    public Action<int>? Throttle { get; init; }

    /// <summary>True for shards that are done already and must not be done again.</summary>
    public Func<long, bool> IsShardDone { get; init; } = static _ => false;

    /// <summary>
    /// Called, from any thread but one at a time, when a shard's payload and tables are written; publishes the manifest. Null publishes at once.
    /// A shard of which nothing had to be written is reported with a null manifest.
    /// </summary>
    public Action<long, ShardManifest?>? ShardClosed { get; init; }
}
