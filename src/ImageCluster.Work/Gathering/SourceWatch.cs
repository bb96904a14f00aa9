using System.Collections.Concurrent;
using ImageCluster.Imaging;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Protocols;
using ImageCluster.Work.Native;
using ImageCluster.Work.Roots;

namespace ImageCluster.Work.Gathering;

/// <summary>
/// A locator that remembers which files a source consists of (chain, extent files, data files), with the stamp that each had when it was
/// opened, so that a source which changes while it is read is found out.
/// </summary>
public sealed class SourceWatch(IFileLocator inner) : IFileLocator
{
    // Files of servers: each has one version while it is open, which its reader sees to.
    private readonly ConcurrentDictionary<string, string> _versions = new();

    private readonly ConcurrentDictionary<string, FileStamp?> _stamps = new();

    /// <summary>Canonical names of the files opened so far.</summary>
    public IReadOnlyList<string> Files => [.. _stamps.Keys.Concat(_versions.Keys).Order(StringComparer.Ordinal)];

    /// <summary>What the files looked like when they were opened; equal in two runs where nothing has changed between.</summary>
    public string Fingerprint => string.Join('\n', Files.Select(file => $"{Stamp(file)}\t{file}"));

    /// <summary>
    /// As <see cref="Fingerprint"/>, the same on every node: files by their names in roots, and of their stamps what all nodes see alike.
    /// </summary>
    public string SharedFingerprint(RootMap roots) => SharedFingerprint(roots, []);

    /// <summary>As <see cref="SharedFingerprint(RootMap)"/>, without these files (canonical names).</summary>
    public string SharedFingerprint(RootMap roots, IEnumerable<string> except) => string.Join('\n', Files.Except(except).Select(file =>
        $"{(_versions.TryGetValue(file, out string? version) ? version : $"{_stamps[file]?.Length} {_stamps[file]?.Modified}")}\t{roots.NameOf(file)?.ToString() ?? file}"));

    /// <summary>Those of its files that a fingerprint names are what they were then.</summary>
    /// <param name="fingerprint">As <see cref="SharedFingerprint(RootMap)"/> gave it.</param>
    /// <param name="roots">This node's.</param>
    /// <exception cref="SourceChangedException">One is not.</exception>
    public void RequireSame(string fingerprint, RootMap roots)
    {
        string[] before = fingerprint.Split('\n');
        HashSet<string> names = [.. before.Select(NameIn)];
        string? other = SharedFingerprint(roots).Split('\n').Except(before).FirstOrDefault(line => names.Contains(NameIn(line)));
        if (other is not null)
        {
            throw new SourceChangedException(NameIn(other), "it is not what it was when the job began");
        }
    }

    /// <summary>True where the files of a fingerprint are what they were then, without opening them.</summary>
    /// <param name="fingerprint">Of an earlier run.</param>
    /// <param name="protocols">How files of servers are reached: these are opened, to ask for their versions.</param>
    public static bool IsStill(string fingerprint, IReadOnlyList<StorageProtocol> protocols) => fingerprint.Split('\n').All(line =>
        line.Split('\t', 2) is [string stamp, string file]
        && (RemoteRoot.IsOne(file) ? VersionNow(file, protocols) : FileStamp.Of(file)?.Fingerprint) == stamp);

    /// <summary>Takes note of a file of a server.</summary>
    public void Note(string name, IBlockFile file) => _versions.GetOrAdd(name, VersionOf(file));

    public IBlockFile Open(string name, OpenMode mode)
    {
        string canonical = inner.Canonical(name);
        // Before the first byte is read; a name that is opened twice keeps its first stamp.
        _stamps.GetOrAdd(canonical, FileStamp.Of);
        return inner.Open(name, mode);
    }

    /// <exception cref="SourceChangedException">A file is not what it was when it was opened.</exception>
    public void RequireUnchanged()
    {
        foreach ((string file, FileStamp? before) in _stamps)
        {
            FileStamp? now = FileStamp.Of(file);
            if (now?.Fingerprint != before?.Fingerprint)
            {
                throw new SourceChangedException(file, now is null ? "it was removed" : now.Length != before?.Length ? "its length changed" : "it was written to");
            }
        }
    }

    public IBlockFile Create(string name, long length, OpenMode mode, bool mustBeNew = false) =>
        throw new NotSupportedException("Sources are read only.");

    public bool Exists(string name) => inner.Exists(name);

    public string Combine(string referrer, string reference) => inner.Combine(referrer, reference);

    public string Canonical(string name) => inner.Canonical(name);

    public void Delete(string name) => throw new NotSupportedException("Sources are read only.");

    private static string NameIn(string line) => line[(line.IndexOf('\t') + 1)..];

    private string? Stamp(string file) => _versions.TryGetValue(file, out string? version) ? version : _stamps[file]?.Fingerprint;

    // Servers that name no versions are at least asked for the length.
    private static string VersionOf(IBlockFile file) => file is IVersionedFile versioned ? versioned.Version : $"{file.Length}";

    private static string? VersionNow(string name, IReadOnlyList<StorageProtocol> protocols)
    {
        try
        {
            using IBlockFile file = new ProtocolLocator(new LocalFileLocator(), protocols).Open(name, OpenMode.ReadOnly);
            return VersionOf(file);
        }
        catch (ImageException)
        {
            return null;
        }
    }
}
