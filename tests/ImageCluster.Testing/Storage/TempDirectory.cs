namespace ImageCluster.Testing.Storage;

/// <summary>A directory of a test's own, removed with all that is in it when disposed.</summary>
public sealed class TempDirectory : IDisposable
{
    /// <param name="parent">Where to make it; the system's directory for temporary files by default.</param>
    public TempDirectory(string? parent = null)
    {
        Path = parent is null
            ? Directory.CreateTempSubdirectory("imagecluster-").FullName
            : Directory.CreateDirectory(System.IO.Path.Combine(parent, "imagecluster-" + Guid.NewGuid().ToString("N"))).FullName;
    }

    public string Path { get; }

    /// <summary>The path of an entry.</summary>
    public string this[string name] => System.IO.Path.Combine(Path, name);

    public void Dispose()
    {
        try
        {
            Directory.Delete(Path, recursive: true);
        }
        catch (DirectoryNotFoundException)
        {
            // The test removed it.
        }
    }
}
