using ImageCluster.Imaging.Storage;

namespace ImageCluster.QemuImg.Commands;

/// <summary>What the options of <c>convert</c> say.</summary>
internal sealed class ConversionPlan
{
    public IReadOnlyList<string> SourceNames { get; set; } = [];

    public string Target { get; set; } = "";

    /// <summary>Null where an option string names the target.</summary>
    public string? OutputFormat { get; set; }

    public bool TargetIsOptionText { get; set; }

    /// <summary>The text of <c>-o</c>.</summary>
    public string? Options { get; set; }

    public string? BackingFile { get; set; }

    public string? BackingFormat { get; set; }

    public bool Compress { get; set; }

    public bool CopyRanges { get; set; }

    public SnapshotSelector? Snapshot { get; set; }

    /// <summary>Bytes; 0 writes zeros as data.</summary>
    public int SparseSize { get; set; } = 4096;

    /// <summary>Not yet looked at: qemu-img does so after the sources are open.</summary>
    public string? CacheName { get; set; }

    public CacheMode SourceCache { get; set; }

    public bool SkipsCreation { get; set; }

    public bool TargetIsZero { get; set; }

    /// <summary>Runs under way at once; null lets the engine choose.</summary>
    public int? Coroutines { get; set; }

    public bool OutOfOrder { get; set; }

    /// <summary>0 for no limit.</summary>
    public long BytesPerSecond { get; set; }

    public bool Salvage { get; set; }

    public bool Bitmaps { get; set; }

    public bool SkipBrokenBitmaps { get; set; }

    public bool Progress { get; set; }

    public bool Quiet { get; set; }
}
