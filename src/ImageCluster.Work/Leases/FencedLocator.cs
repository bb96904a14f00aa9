using ImageCluster.Imaging.Storage;

namespace ImageCluster.Work.Leases;

/// <summary>
/// Files that are written to only while a lease holds. Whatever becomes of the images opened through it, disposing of it closes their files, and
/// with them QEMU's locks: a layer whose last writes are refused may not come to that itself.
/// </summary>
/// <param name="inner">Where files come from.</param>
/// <param name="lease">Looked at before each write.</param>
public sealed class FencedLocator(IFileLocator inner, WorkLease lease) : IFileLocator, IDisposable
{
    private readonly Lock _lock = new();
    private readonly List<FencedFile> _files = [];

    public IBlockFile Open(string name, OpenMode mode)
    {
        if (mode.Write)
        {
            lease.Require();
        }

        return Fenced(inner.Open(name, mode));
    }

    public IBlockFile Create(string name, long length, OpenMode mode, bool mustBeNew = false)
    {
        lease.Require();
        return Fenced(inner.Create(name, length, mode, mustBeNew));
    }

    public bool Exists(string name) => inner.Exists(name);

    public string Combine(string referrer, string reference) => inner.Combine(referrer, reference);

    public string Canonical(string name) => inner.Canonical(name);

    public void Delete(string name)
    {
        lease.Require();
        inner.Delete(name);
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _files.ForEach(file => file.Dispose());
            _files.Clear();
        }
    }

    private FencedFile Fenced(IBlockFile file)
    {
        var fenced = new FencedFile(file, lease);
        lock (_lock)
        {
            _files.Add(fenced);
        }

        return fenced;
    }
}
