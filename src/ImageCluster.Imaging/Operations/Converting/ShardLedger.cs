namespace ImageCluster.Imaging.Operations.Converting;

/// <summary>Counts the runs of open shards and says when all of a shard's runs are written. Thread-safe.</summary>
/// <param name="close">Called once a shard, one at a time, with whether any run was taken from it.</param>
internal sealed class ShardLedger(Action<long, bool> close)
{
    private readonly Dictionary<long, Entry> _open = [];
    private readonly Lock _closing = new();

    public void Open(long shard)
    {
        lock (_open)
        {
            _open.Add(shard, new Entry());
        }
    }

    public void Taken(long shard)
    {
        lock (_open)
        {
            _open[shard].Taken++;
        }
    }

    public void Done(long shard) => Change(shard, entry => entry.Done++);

    public void AllTaken(long shard) => Change(shard, entry => entry.AllTaken = true);

    private void Change(long shard, Action<Entry> change)
    {
        Entry entry;
        lock (_open)
        {
            entry = _open[shard];
            change(entry);
            if (!entry.AllTaken || entry.Done < entry.Taken)
            {
                return;
            }

            _open.Remove(shard);
        }

        lock (_closing)
        {
            close(shard, entry.Taken > 0);
        }
    }

    private sealed class Entry
    {
        public long Taken { get; set; }

        public long Done { get; set; }

        public bool AllTaken { get; set; }
    }
}
