using System.Buffers.Binary;
using System.Text;
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

    /// <summary>The image's snapshots in the order of the table.</summary>
    /// <exception cref="ImageException">The table is too large, malformed, or past the end of the file.</exception>
    public static IReadOnlyList<Snapshot> Read(IBlockFile file, Header header)
    {
        if (header.SnapshotCount == 0)
        {
            return [];
        }

        // The list grows with what the file really has, not with the number that the header claims.
        List<Snapshot> snapshots = [];
        byte[] buffer = new byte[MaxExtraData];
        long offset = header.SnapshotsOffset;
        for (int i = 0; i < header.SnapshotCount; i++)
        {
            offset = (offset + 7) & ~7L;
            Span<byte> entry = buffer.AsSpan(0, EntryLength);
            ReadPart(file, offset, entry);
            offset += EntryLength;
            int idLength = BinaryPrimitives.ReadUInt16BigEndian(entry[12..]);
            int nameLength = BinaryPrimitives.ReadUInt16BigEndian(entry[14..]);
            uint extraLength = BinaryPrimitives.ReadUInt32BigEndian(entry[36..]);
            if (extraLength > MaxExtraData)
            {
                throw new ImageException(ImageErrorKind.Limit, file.Name, $"Too much extra metadata in snapshot table entry {i}")
                {
                    Hint = "You can force-remove this extra metadata by updating the image via 'qemu-img check -r all'",
                };
            }

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
                ExtraDataLength = (int)extraLength,
            };
            Span<byte> extra = buffer.AsSpan(0, (int)extraLength);
            ReadPart(file, offset, extra);
            offset += extraLength;
            snapshot = WithExtraData(snapshot, extra);
            (string id, string name) = ReadNames(file, offset, idLength, nameLength);
            offset += idLength + nameLength;
            snapshots.Add(snapshot with { Id = id, Name = name });
            if (offset - header.SnapshotsOffset > MaxBytes)
            {
                throw new ImageException(ImageErrorKind.Limit, file.Name, "Snapshot table is too big");
            }
        }

        return snapshots;
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

    private static (string Id, string Name) ReadNames(IBlockFile file, long offset, int idLength, int nameLength)
    {
        byte[] names = new byte[idLength + nameLength];
        ReadPart(file, offset, names);
        return (Text(names.AsSpan(0, idLength)), Text(names.AsSpan(idLength)));
    }

    private static void ReadPart(IBlockFile file, long offset, Span<byte> part)
    {
        if (file.Read(offset, part) < part.Length)
        {
            throw new ImageException(ImageErrorKind.Truncated, file.Name, "Failed to read snapshot table: the file ends before it does");
        }
    }

    private static string Text(ReadOnlySpan<byte> bytes)
    {
        int end = bytes.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? bytes : bytes[..end]);
    }
}
