namespace ImageCluster.Imaging.Storage;

/// <summary>
/// Opens files by name. The one way by which the engine reaches storage, so that a test can put memory or a failing disk behind it
/// and a server can confine it to its roots.
/// </summary>
public interface IFileLocator
{
    /// <summary>Opens an existing file; <see cref="ImageErrorKind.NotFound"/>, <see cref="ImageErrorKind.Locked"/> or <see cref="ImageErrorKind.Io"/> otherwise.</summary>
    IBlockFile Open(string name, OpenMode mode);

    /// <summary>
    /// Creates a file of <paramref name="length"/> zero bytes (truncating one that is there unless
    /// <paramref name="mustBeNew"/>) and opens it for reading and writing.
    /// </summary>
    IBlockFile Create(string name, long length, OpenMode mode, bool mustBeNew = false);

    bool Exists(string name);

    /// <summary>Resolves <paramref name="reference"/>, found in the metadata of <paramref name="referrer"/>, to a name for <see cref="Open"/>.</summary>
    string Combine(string referrer, string reference);

    /// <summary>A name that is equal for two names of the same file (links resolved), for loop detection.</summary>
    string Canonical(string name);

    /// <summary>Removes a file; one that is not there is no error.</summary>
    void Delete(string name);
}
