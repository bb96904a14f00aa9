namespace ImageCluster.Imaging.Formats.Capabilities;

/// <summary>A layer, open for writing, whose internal snapshots can be changed. Not to be called beside anything else on the layer.</summary>
public interface ISnapshotEditor : ISnapshots
{
    /// <summary>
    /// Takes a snapshot of the disk as it is. <see cref="ImageSnapshot.Id"/> is chosen here where it is empty (one above the highest number
    /// among the ids, as QEMU does); <see cref="ImageSnapshot.DiskSize"/> is the image's.
    /// </summary>
    void CreateSnapshot(ImageSnapshot snapshot);

    /// <summary>Makes the disk what it was in the snapshot of that id; what was written since and is in no other snapshot is lost.</summary>
    void ApplySnapshot(string id);

    /// <summary>Removes the snapshot of that id and frees what only it held.</summary>
    void DeleteSnapshot(string id);
}
