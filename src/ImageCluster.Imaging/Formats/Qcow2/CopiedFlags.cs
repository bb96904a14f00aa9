using System.Buffers.Binary;
using ImageCluster.Imaging.Formats.Filters.Debugging;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// Sets the "copied" flags of the active tables by the refcounts: what is referred to once may be written in place. For changes that
/// go over many tables at once, all of which are in the file; while the flags do not agree with the refcounts the image is marked dirty,
/// so that who opens it after a crash sets them right.
/// </summary>
internal sealed class CopiedFlags(Metadata metadata, Refcounts refcounts)
{
    private readonly Layout _layout = metadata.Layout;
    private readonly L2Table _table = new(0, metadata.Layout.ClusterSize / sizeof(ulong));

    /// <summary>Brings all flags of the active tables in line, durably.</summary>
    public void Refresh()
    {
        ulong[] l1 = Metadata.ReadL1(metadata.File, metadata.Header.L1Offset, metadata.Header.L1Entries);
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        for (int i = 0; i < l1.Length; i++)
        {
            long offset = (long)(l1[i] & Layout.OffsetMask);
            if (offset == 0)
            {
                continue;
            }

            ReadTable(offset, i);
            if (RefreshTable())
            {
                refcounts.Overlap.Require(offset, _layout.ClusterSize, MetadataKind.L2Table);
                metadata.File.Tell("l2_update");
                metadata.File.Write(offset, _table.Bytes);
            }

            ulong flagged = Flagged(l1[i], offset);
            if (flagged != l1[i])
            {
                BinaryPrimitives.WriteUInt64BigEndian(bytes, flagged);
                metadata.File.Write(metadata.Header.L1Offset + ((long)i * sizeof(ulong)), bytes);
            }
        }

        metadata.File.Flush();
    }

    /// <summary>Sets or clears the dirty bit, durably; version 2 has none.</summary>
    public static void SetDirty(Metadata metadata, bool dirty)
    {
        Header header = metadata.Header;
        if (header.Version < 3)
        {
            return;
        }

        IncompatibleFeatures features = dirty
            ? header.Incompatible | IncompatibleFeatures.Dirty
            : header.Incompatible & ~IncompatibleFeatures.Dirty;
        HeaderPatch.WriteIncompatible(metadata.File, features);
        metadata.File.Flush();
        metadata.Header = header with { Incompatible = features };
    }

    private void ReadTable(long offset, int l1Index)
    {
        if (!_layout.IsClusterAligned(offset))
        {
            throw metadata.Signal(BadEntry.L2Table(offset, l1Index));
        }

        metadata.File.Tell("l2_load");
        metadata.File.ReadPadded(offset, _table.Bytes);
    }

    private bool RefreshTable()
    {
        bool changed = false;
        for (int index = 0; index < _layout.L2Entries; index++)
        {
            int word = index * _layout.L2EntryWords;
            ulong entry = _table[word];
            long host = (long)(entry & Layout.OffsetMask);
            if ((entry & Layout.CompressedFlag) == 0 && host != 0 && Flagged(entry, host) is var flagged && flagged != entry)
            {
                _table[word] = flagged;
                changed = true;
            }
        }

        return changed;
    }

    private ulong Flagged(ulong entry, long host) => refcounts.Get(host >> _layout.ClusterBits) == 1
        ? entry | Layout.CopiedFlag
        : entry & ~Layout.CopiedFlag;
}
