using System.Collections.Concurrent;
using ImageCluster.Imaging;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Testing.Storage;

/// <summary>
/// Files in memory by name. Names are paths as text: <c>.</c> and <c>..</c> are resolved, a relative name stands in the root. There are no
/// directories, links or locks.
/// </summary>
/// <example><c>var files = new MemoryLocator { ["base.qcow2"] = bytes };</c></example>
public sealed class MemoryLocator : IFileLocator
{
    private readonly ConcurrentDictionary<string, MemoryStore> _stores = new();

    /// <summary>The whole content of a small file.</summary>
    public byte[] this[string name]
    {
        get => Store(name).ToArray();
        set => _stores[Canonical(name)] = new MemoryStore(value);
    }

    /// <summary>Canonical names of the files that are there.</summary>
    public IReadOnlyCollection<string> Names => [.. _stores.Keys.Order(StringComparer.Ordinal)];

    /// <summary>What a name stands for, without opening it.</summary>
    public MemoryStore Store(string name) => _stores.TryGetValue(Canonical(name), out MemoryStore? store)
        ? store
        : throw new ImageException(ImageErrorKind.NotFound, name, $"Could not open '{name}': No such file or directory") { Errno = 2 };

    /// <summary>The same files, apart from these from now on.</summary>
    public MemoryLocator Clone()
    {
        MemoryLocator clone = new();
        foreach ((string name, MemoryStore store) in _stores)
        {
            clone.Add(name, store.Clone());
        }

        return clone;
    }

    public void Add(string name, MemoryStore store) => _stores[Canonical(name)] = store;

    public IBlockFile Open(string name, OpenMode mode) => new MemoryFile(name, Store(name), mode.Write);

    public IBlockFile Create(string name, long length, OpenMode mode, bool mustBeNew = false)
    {
        if (mustBeNew && Exists(name))
        {
            throw new ImageException(ImageErrorKind.Exists, name, $"Could not create '{name}': File exists") { Errno = 17 };
        }

        MemoryStore store = _stores.GetOrAdd(Canonical(name), static _ => new MemoryStore());
        store.SetLength(0);
        store.SetLength(length);
        return new MemoryFile(name, store);
    }

    public bool Exists(string name) => _stores.ContainsKey(Canonical(name));

    public string Combine(string referrer, string reference) => ImagePath.Combine(referrer, reference);

    public string Canonical(string name)
    {
        string path = ImagePath.ToLocal(name)
            ?? throw new ImageException(ImageErrorKind.Unsupported, name, $"Unknown protocol '{ImagePath.ProtocolOf(name)}'");
        List<string> parts = [];
        foreach (string part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (part != "..")
            {
                parts.AddRange(part == "." ? [] : [part]);
            }
            else if (parts.Count > 0)
            {
                parts.RemoveAt(parts.Count - 1);
            }
        }

        return "/" + string.Join('/', parts);
    }

    public void Delete(string name) => _stores.TryRemove(Canonical(name), out _);
}
