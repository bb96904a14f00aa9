using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qed;

/// <summary>
/// A QED image open for writing in place. Tables are written behind the data they point to, so the need-check flag, which QEMU sets because
/// it does not wait for the data, is not needed.
/// </summary>
internal sealed class QedWriter : QedReader, IWritableLayer, IResizable, IBackingChanger, IEmptyable
{
    private readonly ClusterWriter _writer;

    private QedWriter(OpenContext context, QedHeader header)
        : base(context, header) => _writer = new ClusterWriter(
            File, Tables, Map, zeroFilled: header.Backing is null, (_, host, data) => File.Write(host, data));

    public long WriteUnit => _writer.WriteUnit;

    protected override long FileLength => _writer.End;

    /// <summary>Opens for writing: an image that was not closed properly is checked and repaired first.</summary>
    public static QedWriter Open(OpenContext context, QedHeader header)
    {
        QedWriter writer = new(context, header);
        if (header.AutoclearFeatures != 0)
        {
            // None of these features is known here: whoever knows them learns that the image has been changed since.
            writer.WriteHeader(header with { AutoclearFeatures = 0 });
        }

        if (header.NeedsCheck && !context.ForCheck)
        {
            CheckReport report = writer.Check(CheckRepair.All);
            if (report.Corruptions > 0 || report.CheckErrors > 0)
            {
                throw new ImageException(ImageErrorKind.Corrupt, context.FileName, "Image corrupted");
            }
        }

        return writer;
    }

    public void Write(long offset, ReadOnlySpan<byte> data) => _writer.Write(offset, data);

    public void WriteZeroes(long offset, long length, ZeroMode mode)
    {
        for (long end = offset + length; offset < end;)
        {
            Extent extent = Look(offset, end - offset);
            if (extent.Kind == ExtentKind.Data)
            {
                File.WriteZeroes(extent.HostOffset, extent.Length, mode);
            }
            else if (extent.Kind == ExtentKind.Absent)
            {
                StateZero(extent);
            }

            offset += extent.Length;
        }
    }

    /// <summary>Gives the space back, not the cluster: QED does not know which clusters are free.</summary>
    public void Discard(long offset, long length)
    {
        for (long end = offset + length; offset < end;)
        {
            Extent extent = Look(offset, end - offset);
            if (extent.Kind == ExtentKind.Data)
            {
                File.WriteZeroes(extent.HostOffset, extent.Length, ZeroMode.MayUnmap);
            }

            offset += extent.Length;
        }
    }

    public void Flush() => _writer.Flush();

    public void Resize(long newSize, string preallocation, Action? hide = null)
    {
        if (preallocation != "off")
        {
            throw new ImageException(ImageErrorKind.Unsupported, FileName, $"Unsupported preallocation mode '{preallocation}'");
        }

        if (newSize < 0 || !QedHeader.IsImageSizeValid((ulong)newSize, Header.ClusterSize, Header.TableSize))
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, FileName, "Invalid image size specified");
        }

        if (newSize < VirtualSize)
        {
            throw new ImageException(ImageErrorKind.Unsupported, FileName, "Shrinking images is currently not supported");
        }

        WriteHeader(Header with { ImageSize = newSize });
        VirtualSize = newSize;
    }

    public void ChangeBacking(BackingReference? backing)
    {
        if (backing is not null && Header.CompatibleFeatures != 0)
        {
            throw new ImageException(ImageErrorKind.Unsupported, FileName, "QED image has compatible features that are not known: its backing file cannot be changed");
        }

        if (QedHeader.Length + NameText.GetByteCount(backing?.Name ?? "") > (long)Header.HeaderSize * Header.ClusterSize)
        {
            throw new ImageException(ImageErrorKind.NoSpace, FileName, "Backing file name is too long for the QED header");
        }

        Flush();
        WriteHeader(Header with { Backing = backing });
    }

    public void MakeEmpty()
    {
        Flush();
        long end = (long)Header.L1TableOffset + Header.TableLength;
        File.WriteZeroes((long)Header.L1TableOffset, Header.TableLength, ZeroMode.MayUnmap);
        File.Flush();
        Tables.Forget();
        if (File.CanResize && Header.L1TableOffset == (ulong)Header.HeaderSize * Header.ClusterSize)
        {
            File.SetLength(end);
            _writer.Restart(end);
        }
    }

    public override CheckReport Check(CheckRepair repair)
    {
        CheckReport report = new QedChecker(File, Header, Tables).Check(repair != CheckRepair.None);
        if (repair != CheckRepair.None)
        {
            Flush();
            if (Header.NeedsCheck && report.Corruptions == 0 && report.CheckErrors == 0)
            {
                WriteHeader(Header with { NeedsCheck = false });
            }
        }

        return report;
    }

    public override void Dispose()
    {
        try
        {
            Flush();
        }
        finally
        {
            base.Dispose();
        }
    }

    // Whole clusters, or up to the disk's end.
    private void StateZero(in Extent extent)
    {
        for (long offset = extent.Start; offset < extent.End; offset += Header.ClusterSize)
        {
            _writer.Set(offset, ZeroCluster);
            if (Tables.WantsWriteBack)
            {
                Flush();
            }
        }
    }

    private void WriteHeader(QedHeader header)
    {
        File.Write(0, header.Encode());
        File.Flush();
        Header = header;
    }
}
