namespace ImageCluster.Jobs;

/// <summary>The whole numbers from <paramref name="Start"/> to before <paramref name="End"/>.</summary>
public readonly record struct Range64(long Start, long End)
{
    public long Length => End - Start;
}
