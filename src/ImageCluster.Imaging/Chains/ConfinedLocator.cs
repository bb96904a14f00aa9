using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Chains;

/// <summary>
/// A locator that opens, creates and removes files in the allowed roots only, whatever an image's metadata names: by <c>..</c>, by an absolute
/// path, through a symbolic link or by a protocol, what leaves the roots is refused with <see cref="ImageErrorKind.Policy"/>; so is a name that is not
/// text. Local storage checks the opened file as well (<see cref="OpenMode.Within"/>), so links may change at any moment.
/// </summary>
public sealed class ConfinedLocator : IFileLocator
{
    private readonly IFileLocator _inner;
    private readonly AllowedRoots _roots;

    /// <param name="inner">Where files come from.</param>
    /// <param name="roots">Directories, named as <paramref name="inner"/> takes them; links in them are resolved now, once.</param>
    public ConfinedLocator(IFileLocator inner, params IEnumerable<string> roots)
    {
        _inner = inner;
        _roots = new AllowedRoots(roots.Select(inner.Canonical));
    }

    /// <summary>The roots' canonical paths.</summary>
    public IReadOnlyList<string> Roots => _roots.Paths;

    public IBlockFile Open(string name, OpenMode mode)
    {
        Canonical(name);
        return _inner.Open(name, mode with { Within = _roots });
    }

    public IBlockFile Create(string name, long length, OpenMode mode, bool mustBeNew = false)
    {
        Canonical(name);
        return _inner.Create(name, length, mode with { Within = _roots }, mustBeNew);
    }

    /// <inheritdoc/>
    /// <exception cref="ImageException">The name leaves the roots: whether something is there is not told.</exception>
    public bool Exists(string name)
    {
        Canonical(name);
        return _inner.Exists(name);
    }

    public string Combine(string referrer, string reference) => _inner.Combine(referrer, reference);

    /// <inheritdoc/>
    /// <exception cref="ImageException">The name leaves the roots.</exception>
    public string Canonical(string name)
    {
        if (ImagePath.ToLocal(name) is null)
        {
            throw new ImageException(ImageErrorKind.Policy, name, $"'{name}' is not a file: protocol '{ImagePath.ProtocolOf(name)}' is not allowed here")
            {
                Hint = $"Only files in {string.Join(", ", _roots.Paths)} may be used.",
            };
        }

        if (!NameText.IsUtf8(name))
        {
            // Plans, journals and reports are text: there it would be another file's name.
            throw new ImageException(ImageErrorKind.Policy, NameText.Plain(name), $"The name '{NameText.Plain(name)}' has bytes that are not UTF-8")
            {
                Hint = "Rename the file; in images that stand on it, 'qemu-img rebase -u' changes the name.",
            };
        }

        string path = _inner.Canonical(name);
        return _roots.Contains(path) ? path : throw _roots.Refusal(name, path);
    }

    public void Delete(string name)
    {
        Canonical(name);
        _inner.Delete(name);
    }
}
