namespace ImageCluster.Imaging.Storage.Protocols;

/// <summary>
/// Files, and all else that a protocol reaches: tells by the name (<see cref="ImagePath.ProtocolOf"/>) who is to open it. What no protocol
/// claims goes to the local files, which refuse what is not theirs.
/// </summary>
public sealed class ProtocolLocator(IFileLocator files, params IEnumerable<StorageProtocol> protocols) : IFileLocator
{
    private readonly StorageProtocol[] _protocols = [.. protocols];

    /// <summary>The local files, and every protocol of <see cref="ProtocolRegistry"/>.</summary>
    public static ProtocolLocator Standard(ProtocolSettings settings) => new(new LocalFileLocator(), ProtocolRegistry.Create(settings));

    public IBlockFile Open(string name, OpenMode mode) => ProtocolOf(name) is { } protocol ? protocol.Open(name, mode, this) : files.Open(name, mode);

    public IBlockFile Create(string name, long length, OpenMode mode, bool mustBeNew = false) => ProtocolOf(name) is { } protocol
        ? protocol.Create(name, length, mode, mustBeNew, this)
        : files.Create(name, length, mode, mustBeNew);

    public bool Exists(string name) => ProtocolOf(name) is { } protocol ? protocol.Exists(name, this) : files.Exists(name);

    public string Combine(string referrer, string reference) =>
        ProtocolOf(referrer) is { } protocol ? protocol.Combine(referrer, reference) : files.Combine(referrer, reference);

    public string Canonical(string name) => ProtocolOf(name) is { } protocol ? protocol.Canonical(name, this) : files.Canonical(name);

    public void Delete(string name)
    {
        if (ProtocolOf(name) is { } protocol)
        {
            protocol.Delete(name, this);
        }
        else
        {
            files.Delete(name);
        }
    }

    /// <summary>Where a new image of that name is put together, to appear when it is whole; null where it is written under its name.</summary>
    /// <param name="name">The name that it will have.</param>
    /// <param name="replaces">See <see cref="StagedTarget.Replaces"/>.</param>
    /// <param name="mark">See <see cref="StagedTarget.Mark"/>.</param>
    public StagedTarget? Stage(string name, bool replaces = true, string? mark = null) => ProtocolOf(name)?.Stage(name, this, replaces, mark);

    /// <summary>The protocol that a name belongs to; null for a local file, and where nobody knows it.</summary>
    public StorageProtocol? ProtocolOf(string name) => ImagePath.ToLocal(name) is null && ImagePath.ProtocolOf(name) is { } scheme
        ? Array.Find(_protocols, protocol => protocol.Schemes.Contains(scheme))
        : null;

    /// <summary>The name as <c>info</c> shows it.</summary>
    public string DisplayName(string name) => ProtocolOf(name)?.DisplayName(name) ?? name;

    /// <summary>True for a local file's name and for a protocol that is known.</summary>
    public bool Knows(string name) => ImagePath.ToLocal(name) is not null || ProtocolOf(name) is not null;
}
