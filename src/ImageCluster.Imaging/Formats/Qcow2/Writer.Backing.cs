using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <content>What rebase and commit change: the backing file's name, and whether anything is held at all.</content>
internal sealed partial class WritableQcow2Image : IBackingChanger, IEmptyable
{
    public void ChangeBacking(BackingReference? backing) => Exclusively(() =>
    {
        Header header = Metadata.Header;
        if (backing is not null && header.IsDataFileRaw)
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, FileName, "Cannot use backing file with data_file_raw");
        }

        Header changed = header with { BackingFile = backing?.Name, BackingFormat = backing?.Format };
        byte[] cluster = HeaderWriter.Write(changed, FileName);

        // The name and the extensions first: the first sector, which points to them, changes in one piece when they are there. Where all
        // lies in that sector there is nothing to order.
        if (cluster.Length > SectorSize)
        {
            Metadata.File.Write(SectorSize, cluster.AsSpan(SectorSize));
            Metadata.File.Flush();
        }

        Metadata.File.Write(0, cluster.AsSpan(0, SectorSize));
        Metadata.File.Flush();
        Metadata.Header = changed;
        return true;
    });

    public void MakeEmpty()
    {
        Discard(0, VirtualSize);
        Flush();
    }
}
