namespace ImageCluster.Imaging.Formats.Capabilities;

/// <summary>A layer, open for writing, that can drop all it holds (commit empties the top), so that all of the disk is absent.</summary>
public interface IEmptyable
{
    void MakeEmpty();
}
