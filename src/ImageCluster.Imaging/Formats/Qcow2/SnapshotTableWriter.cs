using System.Buffers.Binary;
using ImageCluster.Imaging.Formats.Filters.Debugging;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>Writes a whole new table of snapshots into room of its own, then lets the header point to it.</summary>
internal static class SnapshotTableWriter
{
    /// <summary>Bytes of extra data that a new entry has: size of the machine state, of the disk, and the instruction count.</summary>
    public const int ExtraDataLength = 24;

    /// <summary>
    /// Writes the table and switches the header over, durably. The old table's room is free afterwards. The header in
    /// <paramref name="metadata"/> is replaced.
    /// </summary>
    /// <param name="metadata">The image's state.</param>
    /// <param name="refcounts">Where room is taken and given back.</param>
    /// <param name="snapshots">The new table.</param>
    /// <param name="oldLength">Bytes of the table that the header points to now.</param>
    public static void Write(Metadata metadata, Refcounts refcounts, IReadOnlyList<Snapshot> snapshots, long oldLength)
    {
        byte[] table = Serialize(snapshots, metadata.File.Name);
        Header old = metadata.Header;
        bool canFree = IsCounted(metadata, refcounts, oldLength);
        long offset = 0;
        if (table.Length > 0)
        {
            offset = refcounts.AllocateForMetadata((table.Length + metadata.Layout.ClusterSize - 1) >> metadata.Layout.ClusterBits);
            metadata.File.Write(offset, table);
        }

        refcounts.Write();
        metadata.File.Flush();
        HeaderPatch.WriteSnapshots(metadata.File, snapshots.Count, offset);
        metadata.File.Flush();
        metadata.Header = old with { SnapshotCount = snapshots.Count, SnapshotsOffset = offset };

        // From here on the new table holds: what fails now costs no more than room.
        Step.Run("Failed to free the cluster and L1 table", () =>
        {
            metadata.File.Tell("cluster_free");
            for (long at = old.SnapshotsOffset; canFree && at < old.SnapshotsOffset + oldLength; at += metadata.Layout.ClusterSize)
            {
                if (refcounts.Decrease(at >> metadata.Layout.ClusterBits))
                {
                    metadata.File.Discard(at, metadata.Layout.ClusterSize);
                }
            }

            refcounts.Write();
        });
    }

    // A broken table may claim a length that reaches over what is free: then it leaks rather than that room in use is given away.
    private static bool IsCounted(Metadata metadata, Refcounts refcounts, long length)
    {
        long start = metadata.Header.SnapshotsOffset;
        for (long at = start; at < start + length; at += metadata.Layout.ClusterSize)
        {
            if (refcounts.Get(at >> metadata.Layout.ClusterBits) == 0)
            {
                return false;
            }
        }

        return true;
    }

    private static byte[] Serialize(IReadOnlyList<Snapshot> snapshots, string file)
    {
        long length = 0;
        foreach (Snapshot snapshot in snapshots)
        {
            length = ((length + 7) & ~7L) + LengthOf(snapshot);
            if (length > SnapshotTable.MaxBytes)
            {
                throw new ImageException(ImageErrorKind.Limit, file, "Snapshot table is too big") { Errno = Errno.FBig };
            }
        }

        byte[] table = new byte[length];
        int at = 0;
        foreach (Snapshot snapshot in snapshots)
        {
            at = (at + 7) & ~7;
            WriteEntry(snapshot, table.AsSpan(at));
            at += LengthOf(snapshot);
        }

        return table;
    }

    private static int LengthOf(Snapshot snapshot) =>
        SnapshotTable.EntryLength + ExtraDataLength + snapshot.UnknownExtraData.Length + Id(snapshot).Length + Name(snapshot).Length;

    private static byte[] Id(Snapshot snapshot) => snapshot.IdBytes ?? NameText.GetBytes(snapshot.Id);

    private static byte[] Name(Snapshot snapshot) => snapshot.NameBytes ?? NameText.GetBytes(snapshot.Name);

    private static void WriteEntry(Snapshot snapshot, Span<byte> entry)
    {
        byte[] id = Id(snapshot);
        byte[] name = Name(snapshot);
        int extra = ExtraDataLength + snapshot.UnknownExtraData.Length;
        BinaryPrimitives.WriteInt64BigEndian(entry, snapshot.L1Offset);
        BinaryPrimitives.WriteUInt32BigEndian(entry[8..], snapshot.L1Entries);
        BinaryPrimitives.WriteUInt16BigEndian(entry[12..], (ushort)id.Length);
        BinaryPrimitives.WriteUInt16BigEndian(entry[14..], (ushort)name.Length);
        BinaryPrimitives.WriteUInt32BigEndian(entry[16..], snapshot.DateSeconds);
        BinaryPrimitives.WriteUInt32BigEndian(entry[20..], snapshot.DateNanoseconds);
        BinaryPrimitives.WriteUInt64BigEndian(entry[24..], snapshot.VmClockNanoseconds);

        // Who does not know the long field must not see a part of a state.
        BinaryPrimitives.WriteUInt32BigEndian(entry[32..], snapshot.VmStateSize <= uint.MaxValue ? (uint)snapshot.VmStateSize : 0);
        BinaryPrimitives.WriteInt32BigEndian(entry[36..], extra);
        BinaryPrimitives.WriteUInt64BigEndian(entry[40..], snapshot.VmStateSize);
        BinaryPrimitives.WriteInt64BigEndian(entry[48..], snapshot.DiskSize);
        BinaryPrimitives.WriteUInt64BigEndian(entry[56..], snapshot.InstructionCount);
        snapshot.UnknownExtraData.CopyTo(entry[(SnapshotTable.EntryLength + ExtraDataLength)..]);
        id.CopyTo(entry[(SnapshotTable.EntryLength + extra)..]);
        name.CopyTo(entry[(SnapshotTable.EntryLength + extra + id.Length)..]);
    }
}
