using System.Buffers.Binary;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>Reads the table of internal snapshots, with QEMU's limits.</summary>
internal static class SnapshotTable
{
    /// <summary>Bytes of an entry's fixed part.</summary>
    public const int EntryLength = 40;

    /// <summary>QEMU's limits in bytes: for an entry's extra data, and for the whole table.</summary>
    public const int MaxExtraData = 1024;
    public const long MaxBytes = 1024L * Header.MaxSnapshots;

    private const int KnownExtraData = 24;
    private const int FileTooLarge = 27;

    /// <summary>The image's snapshots in the order of the table.</summary>
    /// <exception cref="ImageException">The table is too large, malformed, or past the end of the file.</exception>
    public static IReadOnlyList<Snapshot> Read(IBlockFile file, Header header) => Load(file, header, forCheck: false, null).Snapshots;

    /// <summary>Reads the table.</summary>
    /// <param name="file">The image's file.</param>
    /// <param name="header">Says where it stands and how many entries it has.</param>
    /// <param name="forCheck">What the file ends before counts as zeros, as QEMU has it; the check complains of the range.</param>
    /// <param name="dropped">
    /// For a repair: told what is left out, instead of a refusal, where the table is beyond the limits (a line in QEMU's words, and
    /// whether it is the extra data of one entry, or the rest of the table).
    /// </param>
    public static SnapshotTableContent Load(IBlockFile file, Header header, bool forCheck, Action<string, SnapshotLoss>? dropped)
    {
        // The list grows with what the file really has, not with the number that the header claims.
        List<Snapshot> snapshots = [];
        byte[] buffer = new byte[MaxExtraData];
        long offset = header.SnapshotsOffset;
        long kept = 0;
        for (int i = 0; i < header.SnapshotCount; i++)
        {
            long start = offset;
            offset = (offset + 7) & ~7L;
            Span<byte> entry = buffer.AsSpan(0, EntryLength);
            ReadPart(file, offset, entry, forCheck);
            offset += EntryLength;
            int idLength = BinaryPrimitives.ReadUInt16BigEndian(entry[12..]);
            int nameLength = BinaryPrimitives.ReadUInt16BigEndian(entry[14..]);
            uint extraLength = BinaryPrimitives.ReadUInt32BigEndian(entry[36..]);
            if (extraLength > MaxExtraData)
            {
                DropExtraData(file, i, extraLength, dropped);
            }

            int extraKept = (int)Math.Min(extraLength, MaxExtraData);
            Snapshot snapshot = new()
            {
                Id = "",
                Name = "",
                L1Offset = BinaryPrimitives.ReadInt64BigEndian(entry),
                L1Entries = BinaryPrimitives.ReadUInt32BigEndian(entry[8..]),
                DateSeconds = BinaryPrimitives.ReadUInt32BigEndian(entry[16..]),
                DateNanoseconds = BinaryPrimitives.ReadUInt32BigEndian(entry[20..]),
                VmClockNanoseconds = BinaryPrimitives.ReadUInt64BigEndian(entry[24..]),
                VmStateSize = BinaryPrimitives.ReadUInt32BigEndian(entry[32..]),
                DiskSize = header.VirtualSize,
                ExtraDataLength = extraKept,
            };
            Span<byte> extra = buffer.AsSpan(0, extraKept);
            ReadPart(file, offset, extra, forCheck);
            offset += extraLength;
            snapshot = WithExtraData(snapshot, extra);
            byte[] names = new byte[idLength + nameLength];
            ReadPart(file, offset, names, forCheck);
            offset += names.Length;
            snapshots.Add(snapshot with
            {
                Id = Text(names.AsSpan(0, idLength)),
                Name = Text(names.AsSpan(idLength)),
                IdBytes = names[..idLength],
                NameBytes = names[idLength..],
            });

            // What a repair drops does not count.
            kept = ((kept + 7) & ~7L) + EntryLength + extraKept + names.Length;
            if (kept > MaxBytes || offset - header.SnapshotsOffset > int.MaxValue)
            {
                DropRest(file, header.SnapshotCount - i, dropped);
                snapshots.RemoveAt(i);
                offset = start;
                break;
            }
        }

        return new SnapshotTableContent(snapshots, offset - header.SnapshotsOffset);
    }

    /// <summary>Refuses a snapshot whose L1 table cannot be where it is said to be. The image is not marked as corrupt for that.</summary>
    public static void CheckPlace(Snapshot snapshot, Layout layout, string file)
    {
        if (snapshot.L1Entries > Header.MaxL1Bytes / sizeof(ulong))
        {
            throw new ImageException(ImageErrorKind.Limit, file, "Snapshot L1 table too large");
        }

        if (snapshot.L1Offset < 0 || !layout.IsClusterAligned(snapshot.L1Offset))
        {
            throw new ImageException(ImageErrorKind.Corrupt, file, "Snapshot L1 table offset invalid");
        }
    }

    private static void DropExtraData(IBlockFile file, int index, uint length, Action<string, SnapshotLoss>? dropped)
    {
        if (dropped is null)
        {
            throw new ImageException(ImageErrorKind.Limit, file.Name, $"Too much extra metadata in snapshot table entry {index}")
            {
                Hint = "You can force-remove this extra metadata with qemu-img check -r all",
                Errno = FileTooLarge,
            };
        }

        dropped($"Discarding too much extra metadata in snapshot table entry {index} ({length} > {MaxExtraData})", new SnapshotLoss(1, 0));
    }

    private static void DropRest(IBlockFile file, int count, Action<string, SnapshotLoss>? dropped)
    {
        if (dropped is null)
        {
            throw new ImageException(ImageErrorKind.Limit, file.Name, "Snapshot table is too big")
            {
                Hint = $"You can force-remove all {count} overhanging snapshots with qemu-img check -r all",
                Errno = FileTooLarge,
            };
        }

        dropped($"Discarding {count} overhanging snapshots (snapshot table is too big)", new SnapshotLoss(0, count));
    }

    private static Snapshot WithExtraData(Snapshot snapshot, ReadOnlySpan<byte> extra)
    {
        if (extra.Length >= 8)
        {
            snapshot = snapshot with { VmStateSize = BinaryPrimitives.ReadUInt64BigEndian(extra) };
        }

        if (extra.Length >= 16)
        {
            snapshot = snapshot with { DiskSize = BinaryPrimitives.ReadInt64BigEndian(extra[8..]) };
        }

        if (extra.Length >= 24)
        {
            snapshot = snapshot with { InstructionCount = BinaryPrimitives.ReadUInt64BigEndian(extra[16..]) };
        }

        return extra.Length > KnownExtraData ? snapshot with { UnknownExtraData = extra[KnownExtraData..].ToArray() } : snapshot;
    }

    private static void ReadPart(IBlockFile file, long offset, Span<byte> part, bool pad)
    {
        int read = file.Read(offset, part);
        part[read..].Clear();
        if (read < part.Length && !pad)
        {
            throw new ImageException(ImageErrorKind.Truncated, file.Name, "Failed to read snapshot table: the file ends before it does");
        }
    }

    private static string Text(ReadOnlySpan<byte> bytes)
    {
        int end = bytes.IndexOf((byte)0);
        return NameText.GetString(end < 0 ? bytes : bytes[..end]);
    }
}

/// <summary>A snapshot table as read.</summary>
/// <param name="Snapshots">In the order of the table.</param>
/// <param name="Length">Bytes of the table in the file.</param>
internal sealed record SnapshotTableContent(IReadOnlyList<Snapshot> Snapshots, long Length);

/// <summary>What a repair leaves out of a snapshot table.</summary>
/// <param name="ExtraData">Entries whose extra data was cut.</param>
/// <param name="Snapshots">Snapshots that are gone.</param>
internal readonly record struct SnapshotLoss(int ExtraData, int Snapshots);
