using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <content>Internal snapshots.</content>
internal sealed partial class WritableQcow2Image
{
    public void CreateSnapshot(ImageSnapshot snapshot) => EditSnapshots(editor => editor.Create(snapshot));

    public void ApplySnapshot(string id)
    {
        // QEMU changes the size first, too; it is only then that L1 tables fit.
        Alone(() =>
        {
            Tables.Begin();
            if (Tables.Bitmaps.List().Count > 0)
            {
                // They would have to record what the snapshot changes.
                throw new ImageException(ImageErrorKind.Unsupported, FileName, "Device has active dirty bitmaps");
            }

            Snapshot snapshot = new SnapshotEditor(Metadata).Find(id);
            if (snapshot.DiskSize != VirtualSize)
            {
                CheckResize(snapshot.DiskSize, "off");
                ChangeSize(snapshot.DiskSize, "off");
            }

            Tables.GrowL1((int)snapshot.L1Entries);
            return 0;
        });
        EditSnapshots(editor => editor.Apply(editor.Find(id)));
    }

    public void DeleteSnapshot(string id) => EditSnapshots(editor => editor.Delete(editor.Find(id)));

    private void EditSnapshots(Action<SnapshotEditor> edit) => Exclusively(() =>
    {
        Tables.Begin();
        SnapshotEditor editor = new(Metadata);
        Tables.Guard(() => edit(editor));
        return 0;
    });
}
