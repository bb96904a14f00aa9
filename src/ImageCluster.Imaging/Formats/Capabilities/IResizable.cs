namespace ImageCluster.Imaging.Formats.Capabilities;

/// <summary>A layer whose virtual size can change.</summary>
public interface IResizable
{
    /// <param name="newSize">Bytes.</param>
    /// <param name="preallocation">off, metadata, falloc or full; how what is added is allocated.</param>
    /// <param name="hide">
    /// Writes zeros over what a longer backing file has behind the old end: called when what is added can be written, and before the size is stored, so that
    /// whoever finds the new size finds zeros too. Null where nothing is to be hidden, as always where <see cref="CheckGrowthOverBacking"/> refuses.
    /// </param>
    void Resize(long newSize, string preallocation, Action? hide = null);

    /// <summary>
    /// Refuses to grow over a backing file that is longer than the disk, where the layer has no way to say that what is added is zeros. QEMU lets no
    /// format grow so but qcow2.
    /// </summary>
    /// <inheritdoc cref="Resize" path="/param"/>
    void CheckGrowthOverBacking(long newSize, string preallocation) =>
        throw new ImageException(ImageErrorKind.Unsupported, (this as IImageLayer)?.FileName, "Block driver does not support requested flags");

    /// <summary>Does writes that belong to a change of the size: they are not the guest's, so that what records the guest's writes leaves them out.</summary>
    void Unrecorded(Action write) => write();
}
