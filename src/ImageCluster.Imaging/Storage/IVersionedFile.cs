namespace ImageCluster.Imaging.Storage;

/// <summary>A file of a server that says which version of it is being read, and never mixes two.</summary>
public interface IVersionedFile
{
    /// <summary>One line: the length, and what the server names the version by, where it does. Another text is another content.</summary>
    string Version { get; }
}
