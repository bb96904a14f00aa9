namespace ImageCluster.Imaging.Storage.Protocols;

/// <summary>
/// Which protocols an image's metadata may name (backing files, extents, data files). An image from a stranger that names a URL makes whoever
/// opens it connect there; so nothing but files is allowed unless stated.
/// </summary>
public sealed class ProtocolPolicy
{
    /// <summary>Local files only.</summary>
    public static readonly ProtocolPolicy FilesOnly = new([], all: false);

    /// <summary>Whatever the locator opens: for images that are trusted, as qemu-img trusts them all.</summary>
    public static readonly ProtocolPolicy All = new([], all: true);

    private readonly HashSet<string> _schemes;
    private readonly bool _all;

    private ProtocolPolicy(IEnumerable<string> schemes, bool all)
    {
        _schemes = [.. schemes];
        _all = all;
    }

    /// <summary>Local files, and names of these schemes.</summary>
    public static ProtocolPolicy Of(params IEnumerable<string> schemes) => new(schemes, all: false);

    /// <summary>Does nothing where <paramref name="name"/> is allowed.</summary>
    /// <exception cref="ImageException">It is not (<see cref="ImageErrorKind.Policy"/>).</exception>
    public void Require(string name)
    {
        if (_all || ImagePath.ToLocal(name) is not null || ImagePath.ProtocolOf(name) is not { } scheme || _schemes.Contains(scheme))
        {
            return;
        }

        throw new ImageException(ImageErrorKind.Policy, name, $"'{name}' is not a file: an image may not name protocol '{scheme}' here")
        {
            Hint = "Copy what it names to a file and rebase the image onto that.",
        };
    }
}
