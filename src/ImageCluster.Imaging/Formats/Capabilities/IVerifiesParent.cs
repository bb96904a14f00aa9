namespace ImageCluster.Imaging.Formats.Capabilities;

/// <summary>
/// A layer whose header says by which identity (content id, GUID) it knows its backing file. Who opens the chain asks it before
/// anything is read through it: a parent that was changed or replaced gives wrong data, not an error.
/// </summary>
public interface IVerifiesParent
{
    /// <summary>Compares the identity with that of the opened backing file.</summary>
    /// <exception cref="ImageException"><see cref="ImageErrorKind.Corrupt"/>: it is not the file that this layer was made on.</exception>
    void VerifyParent(IImageLayer parent);
}
