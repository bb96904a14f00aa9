using ImageCluster.Imaging;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Work.Targets;

/// <summary>
/// A target that is written where it lies, because it is there already: a block device of this machine, an export of an NBD server. What it held
/// is gone with the first byte.
/// </summary>
/// <param name="path">Its path or address.</param>
/// <param name="opener">Opens it.</param>
public sealed class DevicePlace(string path, IFileLocator opener) : TargetPlace
{
    private const int FirstSector = 512;

    public override string FinalPath => path;

    public override string FinalDirectory { get; } = path[..(path.LastIndexOf('/') is > 0 and var slash ? slash : path.Length)];

    public override bool HasUnfinished => true;

    public override string? Identity => path;

    public override IFileLocator Locator(IFileLocator inner) => new OneFileLocator(path, opener);

    /// <summary>Every byte of a raw disk has its place. Where room is handed out, what lies in it from before would have to be cleared.</summary>
    public override bool KeepsShards(ImageFormat format) => format.Name == "raw";

    public override void StartAnew()
    {
    }

    public override void Clear()
    {
    }

    public override void Sync()
    {
    }

    public override IBlockFile OpenMain(IFileLocator files) => opener.Open(path, OpenMode.ReadWrite with { Lock = ImageLock.None });

    public override void Publish(bool replace)
    {
    }

    /// <summary>What is not whole is not to be taken for a disk: without its first sector nothing finds its partitions or its format.</summary>
    public override void Remove()
    {
        try
        {
            using IBlockFile file = OpenMain(opener);
            file.WriteZeroes(0, Math.Min(FirstSector, file.Length), ZeroMode.KeepAllocated);
            file.Flush();
        }
        catch (ImageException)
        {
            // What made the migration fail may well keep us from this too.
        }
    }

    /// <summary>Nothing is made beside a device: it would be a file in memory, or another export.</summary>
    private sealed class OneFileLocator(string path, IFileLocator inner) : IFileLocator
    {
        public IBlockFile Open(string name, OpenMode mode) => inner.Open(name, mode);

        public IBlockFile Create(string name, long length, OpenMode mode, bool mustBeNew = false) => name == path
            ? inner.Create(name, length, mode)
            : throw new ImageException(ImageErrorKind.Policy, name, "An image of several files cannot be a device or an export");

        public bool Exists(string name) => inner.Exists(name);

        public string Combine(string referrer, string reference) => inner.Combine(referrer, reference);

        public string Canonical(string name) => inner.Canonical(name);

        public void Delete(string name)
        {
        }
    }
}
