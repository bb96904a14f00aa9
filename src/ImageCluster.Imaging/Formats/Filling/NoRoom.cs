namespace ImageCluster.Imaging.Formats.Filling;

/// <summary>The room of a target in which every guest byte has its place beforehand (raw, flat extents, writing in place).</summary>
public sealed class NoRoom : IRoom
{
    public static readonly NoRoom Instance = new();

    private NoRoom()
    {
    }

    public long HighWater => 0;

    /// <exception cref="NotSupportedException">Always: such a target reserves nothing.</exception>
    public long Reserve(long length, long alignment) => throw new NotSupportedException("This target has no room to reserve: every byte has its place.");

    public void SkipTo(long offset)
    {
    }
}
