using ImageCluster.Imaging.Storage;

namespace ImageCluster.Testing.Storage;

/// <summary>
/// Files in memory that remember every change in order, so that the machine can be made to have crashed at any instant afterwards: of
/// each file all that was flushed by then is there, and of the rest nothing, or any part. Run once, crash as often as you like.
/// </summary>
/// <remarks>Names are durable at once: a file that was created is there after a crash, one that was deleted is not.</remarks>
/// <example><code>
/// var disk = new CrashLocator(new MemoryLocator { ["a.qcow2"] = image });
/// Change(disk);
/// foreach (int instant in disk.FlushPoints)
/// {
///     Check(disk.AfterCrash(instant));            // only what was flushed
///     Check(disk.AfterCrash(instant, seed: 17));  // and some sectors of what was not
/// }
/// </code></example>
public sealed class CrashLocator : IFileLocator
{
    private readonly MemoryLocator _before = new();
    private readonly MemoryLocator _now = new();
    private readonly List<FileChange> _history = [];
    private readonly Lock _lock = new();

    /// <param name="start">What is on the disk, durably, to begin with; copied.</param>
    public CrashLocator(MemoryLocator? start = null)
    {
        foreach (string name in start?.Names ?? [])
        {
            _before.Add(name, start!.Store(name).Clone());
            _now.Add(name, start.Store(name).Clone());
        }
    }

    /// <summary>Changes (flushes among them) so far: an instant is a number from 0 to this.</summary>
    public int Instants
    {
        get
        {
            lock (_lock)
            {
                return _history.Count;
            }
        }
    }

    /// <summary>The instants just before each flush, where most is at stake, and the last instant.</summary>
    public IReadOnlyList<int> FlushPoints
    {
        get
        {
            lock (_lock)
            {
                IEnumerable<int> flushes = Enumerable.Range(0, _history.Count).Where(i => _history[i].Kind == FileChangeKind.Flush);
                return [.. flushes, _history.Count];
            }
        }
    }

    /// <summary>What the machine finds that crashed when <paramref name="instant"/> changes had been made: what was flushed by then, nothing else.</summary>
    public MemoryLocator AfterCrash(int instant) => Replay(instant, new Survivors(null));

    /// <summary>
    /// As <see cref="AfterCrash(int)"/>, and with a random part, by seed, of what had not been flushed: each 512-byte sector of each write, and
    /// each change of length, for itself.
    /// </summary>
    public MemoryLocator AfterCrash(int instant, int seed) => Replay(instant, new Survivors(new Random(seed)));

    /// <summary>
    /// What stays where the process was killed, and the machine goes on, when <paramref name="instant"/> changes had been made: all of them, flushed or not.
    /// </summary>
    /// <param name="torn">The next change was in its middle, where it can be (<see cref="CanTear"/>): the first half of its pages is there.</param>
    public MemoryLocator AfterKill(int instant, bool torn = false)
    {
        lock (_lock)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(instant, _history.Count);
            MemoryLocator found = _before.Clone();
            Survivors all = new(null);
            for (int i = 0; i < instant; i++)
            {
                all.Apply(_history[i], durable: true, found);
            }

            if (torn && FirstPages(instant) is { } part)
            {
                all.Apply(part, durable: true, found);
            }

            return found;
        }
    }

    /// <summary>The change that an instant is just before, for messages.</summary>
    public string Describe(int instant)
    {
        lock (_lock)
        {
            return instant < _history.Count && _history[instant] is var change ? $"{change.Kind} {change.Offset}+{change.Length} of {change.File}" : "the end";
        }
    }

    /// <summary>The change at an instant can stop in its middle: the kernel looks for signals between pages.</summary>
    public bool CanTear(int instant)
    {
        lock (_lock)
        {
            return FirstPages(instant) is not null;
        }
    }

    public IBlockFile Open(string name, OpenMode mode) => new RecordedFile(this, Canonical(name), _now.Open(name, mode), mode.Cache);

    public IBlockFile Create(string name, long length, OpenMode mode, bool mustBeNew = false)
    {
        lock (_lock)
        {
            IBlockFile file = _now.Create(name, length, mode, mustBeNew);
            string canonical = Canonical(name);
            _history.Add(new FileChange(FileChangeKind.Create, canonical));
            _history.Add(new FileChange(FileChangeKind.SetLength, canonical, length));
            return new RecordedFile(this, canonical, file, mode.Cache);
        }
    }

    public bool Exists(string name) => _now.Exists(name);

    public string Combine(string referrer, string reference) => _now.Combine(referrer, reference);

    public string Canonical(string name) => _now.Canonical(name);

    public void Delete(string name)
    {
        lock (_lock)
        {
            _now.Delete(name);
            _history.Add(new FileChange(FileChangeKind.Delete, Canonical(name)));
        }
    }

    /// <summary>Makes a change and remembers it, both or neither, in one order for all threads.</summary>
    internal void Record(FileChange change, Action make)
    {
        lock (_lock)
        {
            make();
            _history.Add(change);
        }
    }

    private FileChange? FirstPages(int instant)
    {
        if (instant >= _history.Count || _history[instant] is not { Kind: FileChangeKind.Write, Data: { } data } change)
        {
            return null;
        }

        long middle = (change.Offset + (data.Length / 2)) / MemoryStore.BlockSize * MemoryStore.BlockSize;
        return middle <= change.Offset ? null : change with { Length = middle - change.Offset, Data = data[..(int)(middle - change.Offset)] };
    }

    private MemoryLocator Replay(int instant, Survivors survivors)
    {
        lock (_lock)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(instant, _history.Count);
            MemoryLocator found = _before.Clone();
            Dictionary<string, int> flushed = [];
            for (int i = 0; i < instant; i++)
            {
                if (_history[i].Kind == FileChangeKind.Flush)
                {
                    flushed[_history[i].File] = i;
                }
            }

            for (int i = 0; i < instant; i++)
            {
                FileChange change = _history[i];
                bool durable = i < flushed.GetValueOrDefault(change.File, -1);
                survivors.Apply(change, durable, found);
            }

            return found;
        }
    }
}
