using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Imaging.Tests.Operations;

/// <summary>A target in memory that watches how it is filled: order of reservations, borders, no unit twice.</summary>
internal sealed class ModelTarget(long size, int granularity, long shardLength, int runLength, byte fresh) : IFillTarget, IRoom
{
    private readonly HashSet<long> _units = [];
    private long _next;

    public byte[] Bytes { get; } = Enumerable.Repeat(fresh, (int)size).ToArray();

    public List<long> Reserved { get; } = [];

    public List<long> Closed { get; } = [];

    public List<long> Published { get; } = [];

    public int WrittenRuns;

    public Action<FillRun>? BeforeWrite { get; init; }

    public long VirtualSize => size;

    public int Granularity => granularity;

    public long ShardLength => shardLength;

    public int PreferredRunLength => runLength;

    public bool ShardsIndependent => true;

    public bool UnwrittenIsZero => fresh == 0;

    public IRoom Room => this;

    public long HighWater => _next;

    public long Reserve(long length, long alignment)
    {
        long at = (_next + alignment - 1) / alignment * alignment;
        _next = at + length;
        return at;
    }

    public void SkipTo(long offset) => _next = Math.Max(_next, offset);

    public void Prepare(FillRun run)
    {
        Assert.Equal(0, run.Offset % granularity);
        Assert.True(run.Length % granularity == 0 || run.Offset + run.Length == size, "a run ends inside a unit");
        Assert.Equal(run.Offset / shardLength, (run.Offset + run.Length - 1) / shardLength);
        if (!run.ExplicitZero)
        {
            SparseCutter.Cut(run, granularity);
        }
    }

    public void Reserve(FillRun run, IRoom room)
    {
        Reserved.Add(run.Offset);
        for (long unit = run.Offset / granularity; unit * granularity < run.Offset + run.Length; unit++)
        {
            Assert.True(_units.Add(unit), $"unit {unit} is touched twice");
        }
    }

    public void Write(FillRun run)
    {
        BeforeWrite?.Invoke(run);
        Interlocked.Increment(ref WrittenRuns);
        if (run.ExplicitZero)
        {
            Bytes.AsSpan((int)run.Offset, run.Length).Clear();
            return;
        }

        foreach (FillPiece piece in run.Pieces)
        {
            Span<byte> to = Bytes.AsSpan((int)run.Offset + piece.Start, piece.Length);
            if (piece.Kind == FillPieceKind.Zero)
            {
                to.Clear();
            }
            else
            {
                run.Payload(piece).CopyTo(to);
            }
        }
    }

    public ShardManifest? CloseShard(long shard)
    {
        Closed.Add(shard);
        return new ShardManifest(shard, [], [], 0);
    }

    public void Publish(ShardManifest manifest) => Published.Add(manifest.Shard);

    public void Flush()
    {
    }

    public void Finish()
    {
    }

    public void Dispose()
    {
    }
}
