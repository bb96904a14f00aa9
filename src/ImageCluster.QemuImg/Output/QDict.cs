using System.Collections;

namespace ImageCluster.QemuImg.Output;

/// <summary>
/// A dictionary that lists its entries in the order in which QEMU's own lists them: by the bucket (of 512) of the TDB hash of the key,
/// later entries of a bucket first. JSON and human output both follow it. Values: string, long, ulong, bool, double,
/// <see cref="QDict"/> or a list of these.
/// </summary>
internal sealed class QDict : IEnumerable<KeyValuePair<string, object>>
{
    private const int Buckets = 512;

    private readonly List<(int Bucket, KeyValuePair<string, object> Entry)> _entries = [];

    public int Count => _entries.Count;

    /// <summary>Adds an entry; a null value leaves it out.</summary>
    public void Add(string key, object? value)
    {
        if (value is null)
        {
            return;
        }

        int bucket = Bucket(key);
        int at = 0;
        while (at < _entries.Count && _entries[at].Bucket < bucket)
        {
            at++;
        }

        _entries.Insert(at, (bucket, new(key, value)));
    }

    public IEnumerator<KeyValuePair<string, object>> GetEnumerator() => _entries.Select(static e => e.Entry).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    // The hash of the Trivial Database (TDB), which QEMU's QDict uses. Keys are ASCII.
    private static int Bucket(string key)
    {
        uint value = 0x238F13AF * (uint)key.Length;
        for (int i = 0; i < key.Length; i++)
        {
            value += (uint)key[i] << (i * 5 % 24);
        }

        return (int)((1103515243 * value + 12345) % Buckets);
    }
}
