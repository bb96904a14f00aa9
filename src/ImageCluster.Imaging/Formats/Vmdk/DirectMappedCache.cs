namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>Something that a <see cref="DirectMappedCache{T}"/> holds.</summary>
internal interface ICacheLine
{
    long Key { get; }
}

/// <summary>
/// A cache in which each key has one place, so that looking up takes no lock and memory is bounded. Good for tables that are
/// used in guest order. Putting is the caller's to serialise.
/// </summary>
/// <param name="size">Lines, a power of two.</param>
internal sealed class DirectMappedCache<T>(int size)
    where T : class, ICacheLine
{
    private readonly T?[] _lines = new T?[size];

    public T? Find(long key)
    {
        T? line = Volatile.Read(ref _lines[key & (size - 1)]);
        return line is not null && line.Key == key ? line : null;
    }

    public void Put(T line) => Volatile.Write(ref _lines[line.Key & (size - 1)], line);
}
