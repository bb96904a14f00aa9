namespace ImageCluster.Imaging.Formats.Filters.Debugging;

/// <summary>A kind of request, as rules name it (QAPI's BlkdebugIOType).</summary>
[Flags]
internal enum BlkdebugAccess
{
    None = 0,
    Read = 1,
    Write = 2,
    WriteZeroes = 4,
    Discard = 8,
    Flush = 16,
    BlockStatus = 32,

    /// <summary>What a rule is about that names none.</summary>
    Usual = Read | Write | WriteZeroes | Discard | Flush,
}

/// <summary>One rule: what is to happen at an event.</summary>
internal sealed record BlkdebugRule
{
    public required string Event { get; init; }

    /// <summary>The state in which it holds; 0 for any.</summary>
    public long State { get; init; }

    /// <summary>The state that follows the event; null for a rule that fails requests.</summary>
    public long? NewState { get; init; }

    public BlkdebugAccess Accesses { get; init; } = BlkdebugAccess.Usual;

    /// <summary>The error number that requests fail with.</summary>
    public int Errno { get; init; } = 5;

    /// <summary>The byte that a request must touch; -1 for any request.</summary>
    public long Offset { get; init; } = -1;

    public bool Once { get; init; }
}

/// <summary>
/// The rules of a blkdebug node (QEMU's docs/devel/blkdebug.txt): an event makes those of its rules that hold in the present state the active ones,
/// and requests fail as the first active rule that is about them says. Any thread.
/// </summary>
internal sealed class BlkdebugRules(IReadOnlyList<BlkdebugRule> rules)
{
    private readonly Lock _gate = new();
    private readonly HashSet<BlkdebugRule> _spent = new(ReferenceEqualityComparer.Instance);
    private readonly List<BlkdebugRule> _active = [];
    private long _state = 1;

    public void Raise(string name)
    {
        lock (_gate)
        {
            bool isFirst = true;
            long next = _state;

            // Later rules come first, and of those that become active, earlier ones.
            foreach (BlkdebugRule rule in rules.Reverse().Where(rule => rule.Event == name && (rule.State == 0 || rule.State == _state) && !_spent.Contains(rule)))
            {
                if (rule.NewState is { } state)
                {
                    next = state;
                    continue;
                }

                if (isFirst)
                {
                    _active.Clear();
                    isFirst = false;
                }

                _active.Insert(0, rule);
            }

            _state = next;
        }
    }

    /// <summary>The error number that a request is to fail with; 0 for none.</summary>
    public int Check(BlkdebugAccess access, long offset, long length)
    {
        lock (_gate)
        {
            BlkdebugRule? rule = _active.Find(rule => (rule.Accesses & access) != 0 && (rule.Offset < 0 || (rule.Offset >= offset && rule.Offset < offset + length)));
            if (rule is { Once: true, Errno: not 0 })
            {
                _active.Remove(rule);
                _spent.Add(rule);
            }

            return rule?.Errno ?? 0;
        }
    }
}
