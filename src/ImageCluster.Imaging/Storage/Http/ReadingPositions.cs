namespace ImageCluster.Imaging.Storage.Http;

/// <summary>
/// Tells readers that read on from readers that jump about, and says how far to read ahead. Threads that share one position take its runs in any order,
/// so being near is enough.
/// </summary>
internal sealed class ReadingPositions(int window)
{
    private const int Count = 4;

    // How far from its position a reader may be found again, in chunks.
    private const int Near = 4;

    private readonly Position[] _positions = [.. Enumerable.Range(0, Count).Select(_ => new Position())];
    private long _clock;

    /// <summary>Takes note that a chunk is read, and returns up to which chunk (not included) to read ahead.</summary>
    public long Read(long chunk)
    {
        Position position = Find(chunk);
        position.LastUse = ++_clock;
        if (chunk > position.Chunk)
        {
            position.Steps++;
            position.Chunk = chunk;
        }

        // The first step onwards may be chance; then the window opens fast.
        int ahead = position.Steps switch
        {
            0 => 0,
            1 => Math.Min(4, window),
            _ => window,
        };
        return position.Chunk + 1 + ahead;
    }

    private Position Find(long chunk)
    {
        Position oldest = _positions[0];
        foreach (Position position in _positions)
        {
            if (position.LastUse > 0 && chunk <= position.Chunk + Near && chunk >= position.Chunk - Near)
            {
                return position;
            }

            if (position.LastUse < oldest.LastUse)
            {
                oldest = position;
            }
        }

        (oldest.Chunk, oldest.Steps) = (chunk, 0);
        return oldest;
    }

    private sealed class Position
    {
        public long Chunk { get; set; }

        public int Steps { get; set; }

        public long LastUse { get; set; }
    }
}
