namespace ImageCluster.Imaging.Formats.Capabilities;

/// <summary>A layer whose virtual size can change.</summary>
public interface IResizable
{
    /// <param name="newSize">Bytes.</param>
    /// <param name="preallocation">off, metadata, falloc or full; how what is added is allocated.</param>
    void Resize(long newSize, string preallocation);

    /// <summary>Does writes that belong to a change of the size: they are not the guest's, so that what records the guest's writes leaves them out.</summary>
    void Unrecorded(Action write) => write();
}
