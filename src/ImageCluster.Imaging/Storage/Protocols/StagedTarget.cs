namespace ImageCluster.Imaging.Storage.Protocols;

/// <summary>
/// A new image where what is half done must never be seen under its name: its files are put together elsewhere and appear when they are whole.
/// Disposed without <see cref="Publish"/>, nothing of it stays.
/// </summary>
public abstract class StagedTarget : IDisposable
{
    /// <summary>Creates and opens the image's files by the names that they will have; all other names are opened as ever.</summary>
    public abstract IFileLocator Locator { get; }

    /// <summary>False where nothing may stand under the image's names yet: then publishing replaces nothing but what carries the same <see cref="Mark"/>.</summary>
    public bool Replaces { get; init; } = true;

    /// <summary>
    /// A text of letters, digits and '-' that is stored with each of the image's files, so that whoever was interrupted knows later which are
    /// its own (<see cref="StorageProtocol.MarkOf"/>); null for none.
    /// </summary>
    public string? Mark { get; init; }

    /// <summary>Makes the finished image appear: its parts first, its own file last. The files are no longer written by then.</summary>
    /// <exception cref="ImageException"><see cref="ImageErrorKind.Exists"/>: something is there that may not be replaced.</exception>
    public abstract void Publish(CancellationToken cancel);

    public void Dispose()
    {
        Discard();
        GC.SuppressFinalize(this);
    }

    /// <summary>Throws away what is not published. Does not fail.</summary>
    protected abstract void Discard();
}
