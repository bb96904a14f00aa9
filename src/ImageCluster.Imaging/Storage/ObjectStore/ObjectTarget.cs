using ImageCluster.Imaging.Storage.Protocols;

namespace ImageCluster.Imaging.Storage.ObjectStore;

/// <summary>
/// A new image in an object store. What is written by position is put together in sparse files of a directory of its own on this machine; what comes in
/// whole parts (raw images) goes straight up. Objects appear when they are complete.
/// </summary>
internal sealed class ObjectTarget : StagedTarget
{
    private readonly S3Settings _settings;
    private readonly string _mainName;
    private readonly IFileLocator _files;
    private readonly LocalFileLocator _local = new();
    private readonly Lock _gate = new();
    private readonly List<ObjectTargetFile> _created = [];
    private string? _directory;

    /// <param name="settings">The store's.</param>
    /// <param name="mainName">The image's own file: published last.</param>
    /// <param name="files">Opens all that is not part of the image.</param>
    public ObjectTarget(S3Settings settings, string mainName, IFileLocator files)
    {
        _settings = settings;
        _mainName = mainName;
        _files = files;
        Locator = new TargetLocator(this);
    }

    public override IFileLocator Locator { get; }

    public override void Publish(CancellationToken cancel)
    {
        foreach (ObjectTargetFile file in _created.OrderBy(file => file.Name == _mainName))
        {
            file.Publish(cancel);
        }
    }

    protected override void Discard()
    {
        foreach (ObjectTargetFile file in _created)
        {
            file.GiveUp();
        }

        try
        {
            if (_directory is not null)
            {
                Directory.Delete(_directory, recursive: true);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What cannot be removed is in the directory for temporary files.
        }
    }

    /// <summary>A file on this machine for what is written by position.</summary>
    internal IBlockFile Stage(long length)
    {
        lock (_gate)
        {
            try
            {
                _directory ??= _settings.StagingDirectory is { } parent
                    ? Directory.CreateDirectory(Path.Join(parent, $"imagecluster-{Guid.NewGuid():N}"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute).FullName
                    : Directory.CreateTempSubdirectory("imagecluster-").FullName;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw Native.Errno.Exception(e, _mainName, "Could not make a directory to put the image together in");
            }

            OpenMode mode = new() { Write = true, Cache = CacheMode.Unsafe, Lock = ImageLock.None };
            return _local.Create(Path.Join(_directory, Guid.NewGuid().ToString("N")), length, mode, mustBeNew: true);
        }
    }

    private ObjectTargetFile? Find(string name)
    {
        lock (_gate)
        {
            return _created.Find(file => file.Name == name);
        }
    }

    private ObjectTargetFile Create(string name, long length)
    {
        lock (_gate)
        {
            if (_created.Find(file => file.Name == name) is { } earlier)
            {
                earlier.GiveUp();
                _created.Remove(earlier);
            }

            ObjectTargetFile made = new(name, length, this, new S3Channel(_settings, S3Location.Parse(name), name));
            _created.Add(made);
            return made;
        }
    }

    private void Delete(string name)
    {
        lock (_gate)
        {
            if (_created.Find(file => file.Name == name) is { } file)
            {
                file.GiveUp();
                _created.Remove(file);
            }
        }
    }

    /// <summary>Shows the image's files at their names from the first byte on.</summary>
    private sealed class TargetLocator(ObjectTarget target) : IFileLocator
    {
        public IBlockFile Open(string name, OpenMode mode) => target.Find(name) ?? target._files.Open(name, mode);

        public IBlockFile Create(string name, long length, OpenMode mode, bool mustBeNew = false)
        {
            if (ImagePath.ProtocolOf(name) != S3Location.Scheme)
            {
                throw new ImageException(ImageErrorKind.Policy, name, "An image in an object store has all its files there");
            }

            return mustBeNew && Exists(name)
                ? throw new ImageException(ImageErrorKind.Exists, name, "The object is there already")
                : target.Create(name, length);
        }

        public bool Exists(string name) => target.Find(name) is not null || target._files.Exists(name);

        public string Combine(string referrer, string reference) => target._files.Combine(referrer, reference);

        public string Canonical(string name) => target._files.Canonical(name);

        public void Delete(string name) => target.Delete(name);
    }
}
