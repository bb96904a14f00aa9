using ImageCluster.Imaging;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Cluster.Working;

/// <summary>
/// A target's files for one task. The engine sees them under their final names; until the job gives the target its name they lie in a hidden
/// directory of the job beside it. Written to only while the lease holds.
/// </summary>
internal sealed class TargetLocator(TargetPlace place, IFileLocator inner, WorkLease lease) : IFileLocator
{
    public IBlockFile Open(string name, OpenMode mode)
    {
        IBlockFile file = inner.Open(Staged(name) is { } staged && inner.Exists(staged) ? staged : name, mode);
        return mode.Write ? new FencedFile(file, lease) : file;
    }

    public IBlockFile Create(string name, long length, OpenMode mode, bool mustBeNew = false)
    {
        string staged = Staged(name) ?? throw Outside(name);
        lease.Require();
        return new FencedFile(inner.Create(staged, length, mode, mustBeNew), lease);
    }

    public bool Exists(string name) => (Staged(name) is { } staged && inner.Exists(staged)) || inner.Exists(name);

    public string Combine(string referrer, string reference) => inner.Combine(referrer, reference);

    public string Canonical(string name) => inner.Canonical(Staged(name) is { } staged && inner.Exists(staged) ? staged : name);

    public void Delete(string name)
    {
        string staged = Staged(name) ?? throw Outside(name);
        lease.Require();
        inner.Delete(staged);
    }

    // Files of one image lie beside each other.
    private string? Staged(string name)
    {
        string path = Path.GetFullPath(name);
        return Path.GetDirectoryName(path) == place.FinalDirectory ? Path.Join(place.StagingDirectory, Path.GetFileName(path)) : null;
    }

    private static ImageException Outside(string name) => new(ImageErrorKind.Policy, name, "A target's files must lie in one directory");
}
