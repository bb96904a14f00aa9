using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <content>Persistent bitmaps.</content>
internal sealed partial class WritableQcow2Image
{
    // As the file has them now.
    public override IReadOnlyList<PersistentBitmap> Bitmaps => BitmapReader.Read(Metadata);

    public override IReadOnlyList<ImageBitmap> ListBitmaps() => Alone(() => Tables.Bitmaps.List());

    public override IEnumerable<(long Offset, long Length)> ReadBitmap(string name) =>
        Alone(() => Tables.Bitmaps.Ranges(name).ToList());

    public void AddBitmap(string name, long granularity, bool enabled) => EditBitmaps(bitmaps => bitmaps.Add(name, granularity, enabled));

    public void RemoveBitmap(string name) => EditBitmaps(bitmaps => bitmaps.Remove(name));

    public void ClearBitmap(string name) => EditBitmaps(bitmaps => bitmaps.Clear(name));

    public void EnableBitmap(string name, bool enabled) => EditBitmaps(bitmaps => bitmaps.Enable(name, enabled));

    public void MarkBitmap(string name, IEnumerable<(long Offset, long Length)> ranges) => EditBitmaps(bitmaps => bitmaps.Mark(name, ranges));

    private void EditBitmaps(Action<BitmapSet> edit) => Alone(() =>
    {
        Tables.Begin();
        edit(Tables.Bitmaps);
        return 0;
    });
}
