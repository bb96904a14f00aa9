namespace ImageCluster.Imaging.Formats.Capabilities;

/// <summary>A layer, open for writing, whose header can name another backing file (rebase).</summary>
public interface IBackingChanger
{
    /// <summary>Writes the reference into the header; null for none. Nothing else changes, and the file is not looked at.</summary>
    void ChangeBacking(BackingReference? backing);
}
