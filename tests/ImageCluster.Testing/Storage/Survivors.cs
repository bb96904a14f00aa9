namespace ImageCluster.Testing.Storage;

/// <summary>Applies changes to what a crashed machine finds: durable ones whole, of others nothing or what chance leaves of them.</summary>
internal sealed class Survivors(Random? random)
{
    private const int SectorSize = 512;

    // One crash leaves nearly all, the next nearly nothing.
    private readonly double _probability = random is null ? 0 : Math.Pow(random.NextDouble(), random.Next(2) == 0 ? 0.3 : 3);

    public void Apply(FileChange change, bool durable, MemoryLocator files)
    {
        switch (change.Kind)
        {
            case FileChangeKind.Create:
                Create(change.File, durable, files);
                return;
            case FileChangeKind.Delete:
                files.Delete(change.File);
                return;
            case FileChangeKind.Flush:
                return;
        }

        if (!files.Exists(change.File))
        {
            // Deleted while it was still open.
            return;
        }

        MemoryStore store = files.Store(change.File);
        if (durable)
        {
            ApplyWhole(change, store);
        }
        else if (random is not null)
        {
            ApplyPart(change, store);
        }
    }

    private static void ApplyWhole(FileChange change, MemoryStore store)
    {
        switch (change.Kind)
        {
            case FileChangeKind.Write:
                store.Write(change.Offset, change.Data);
                break;
            case FileChangeKind.Zero or FileChangeKind.ZeroKept:
                store.Zero(change.Offset, change.Length, keep: change.Kind == FileChangeKind.ZeroKept);
                break;
            case FileChangeKind.Discard:
                store.Discard(change.Offset, change.Length);
                break;
            case FileChangeKind.SetLength:
                store.SetLength(change.Offset);
                break;
            case FileChangeKind.Allocate:
                store.Allocate(change.Offset, change.Length);
                break;
        }
    }

    private bool Survives() => random!.NextDouble() < _probability;

    private void Create(string file, bool durable, MemoryLocator files)
    {
        if (!files.Exists(file))
        {
            files.Add(file, new MemoryStore());
        }
        else if (durable || (random is not null && Survives()))
        {
            files.Store(file).SetLength(0);
        }
    }

    private void ApplyPart(FileChange change, MemoryStore store)
    {
        switch (change.Kind)
        {
            case FileChangeKind.Write or FileChangeKind.Zero or FileChangeKind.ZeroKept:
                ExtendPerhaps(store, change.Offset + (change.Data?.Length ?? change.Length));
                ApplySectors(change, store);
                break;
            case FileChangeKind.Allocate:
                ExtendPerhaps(store, change.Offset + change.Length);
                break;
            default:
                if (Survives())
                {
                    ApplyWhole(change, store);
                }

                break;
        }
    }

    // The new length may reach the disk without the data.
    private void ExtendPerhaps(MemoryStore store, long end)
    {
        if (end > store.Length && Survives())
        {
            store.SetLength(end);
        }
    }

    private void ApplySectors(FileChange change, MemoryStore store)
    {
        long length = change.Data?.Length ?? change.Length;
        long end = change.Offset + length;

        // A range of zeros may be a terabyte: then not each sector has its own chance, but each of a thousand pieces.
        long piece = change.Data is null ? Math.Max(1, length / 1024 / SectorSize) * SectorSize : SectorSize;
        for (long at = change.Offset; at < end;)
        {
            long part = Math.Min(end - at, piece - (at % SectorSize));
            if (Survives())
            {
                if (change.Data is { } data)
                {
                    store.Write(at, data.AsSpan((int)(at - change.Offset), (int)part));
                }
                else
                {
                    store.Zero(at, part, keep: change.Kind == FileChangeKind.ZeroKept);
                }
            }

            at += part;
        }
    }
}
