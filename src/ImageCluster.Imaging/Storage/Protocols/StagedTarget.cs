namespace ImageCluster.Imaging.Storage.Protocols;

/// <summary>
/// A new image where what is half done must never be seen under its name: its files are put together elsewhere and appear when they are whole.
/// Disposed without <see cref="Publish"/>, nothing of it stays.
/// </summary>
public abstract class StagedTarget : IDisposable
{
    /// <summary>Creates and opens the image's files by the names that they will have; all other names are opened as ever.</summary>
    public abstract IFileLocator Locator { get; }

    /// <summary>Makes the finished image appear: its parts first, its own file last. The files are no longer written by then.</summary>
    public abstract void Publish(CancellationToken cancel);

    public void Dispose()
    {
        Discard();
        GC.SuppressFinalize(this);
    }

    /// <summary>Throws away what is not published. Does not fail.</summary>
    protected abstract void Discard();
}
