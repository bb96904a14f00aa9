using ImageCluster.Imaging;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Protocols;

namespace ImageCluster.Work.Targets;

/// <summary>
/// A target in an object store. It is uploaded while it is made, or when it is whole; the upload is where it is staged, so nobody sees the object
/// before it is complete, and a failed one leaves nothing. Where a process ends in between, the image starts over.
/// </summary>
/// <param name="address">The object.</param>
/// <param name="store">Opens it, and all else.</param>
/// <param name="replaces">An object that is there may be replaced.</param>
/// <param name="mark">Kept with the object, to know it for ours.</param>
public sealed class StorePlace(string address, ProtocolLocator store, bool replaces, string? mark) : TargetPlace
{
    private StagedTarget? _staged;
    private long _length;

    public override string FinalPath => address;

    public override string FinalDirectory { get; } = address[..address.LastIndexOf('/')];

    public override bool HasUnfinished => store.Exists(address);

    public override long AllocatedBytes => _length;

    public override string? Identity => mark;

    public override string? Mark => mark;

    public override IFileLocator Locator(IFileLocator inner) => new Router(this, store);

    public override bool KeepsShards(ImageFormat format) => false;

    public override void StartAnew()
    {
        _staged?.Dispose();
        _staged = store.Stage(address, replaces, mark) ?? throw new ImageException(ImageErrorKind.Unsupported, address, "Images do not appear there as a whole");
    }

    public override void Clear() => StartAnew();

    public override void Sync()
    {
    }

    public override IBlockFile OpenMain(IFileLocator files) => throw new NotSupportedException("An object is not changed in place.");

    public override void Complete(CancellationToken cancel)
    {
        _staged?.Publish(cancel);
        _staged?.Dispose();
        _staged = null;
        using IBlockFile file = store.Open(address, OpenMode.ReadOnly);
        _length = file.Length;
    }

    public override void Publish(bool replace)
    {
    }

    /// <summary>Gives up the upload, and removes an object that is complete and not what it should be, as long as it is ours.</summary>
    public override void Remove()
    {
        _staged?.Dispose();
        _staged = null;
        if (mark is not null && store.ProtocolOf(address)?.MarkOf(address) == mark)
        {
            store.Delete(address);
        }
    }

    public override void Dispose()
    {
        _staged?.Dispose();
        base.Dispose();
    }

    /// <summary>The staged files while there are any, the store afterwards.</summary>
    private sealed class Router(StorePlace place, IFileLocator store) : IFileLocator
    {
        private IFileLocator Now => place._staged?.Locator ?? store;

        public IBlockFile Open(string name, OpenMode mode) => Now.Open(name, mode);

        public IBlockFile Create(string name, long length, OpenMode mode, bool mustBeNew = false) => Now.Create(name, length, mode, mustBeNew);

        public bool Exists(string name) => Now.Exists(name);

        public string Combine(string referrer, string reference) => Now.Combine(referrer, reference);

        public string Canonical(string name) => Now.Canonical(name);

        public void Delete(string name) => Now.Delete(name);
    }
}
