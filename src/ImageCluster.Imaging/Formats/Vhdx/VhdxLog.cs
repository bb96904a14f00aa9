using System.Buffers.Binary;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vhdx;

/// <summary>
/// The log of an image that was not closed properly: finds the entries that are to be replayed and says what they change. After the
/// log section of the specification; nothing is trusted that its checksum does not cover.
/// </summary>
internal sealed class VhdxLog(IBlockFile file, string name, VhdxHeader header)
{
    public const int SectorSize = 4096;
    public const int HeaderLength = 64;
    public const int DescriptorLength = 32;

    private const int MiB = 1 << 20;

    // Of all the entries that claim to start somewhere, so many times the log's length is looked at; an honest log needs two.
    private const int MaxLooks = 16;

    private readonly byte[] _sector = new byte[SectorSize];
    private long _budget = MaxLooks * (long)header.LogLength;

    /// <summary>Before the log is written to: its region must hold the longest entry that is written here.</summary>
    public void RequireRoom()
    {
        if (header.LogLength < VhdxLogWriter.MaxEntryLength)
        {
            throw Corrupt($"VHDX log of {header.LogLength} bytes is too small: the image can only be read");
        }
    }

    /// <summary>True where the header says that there is something to replay.</summary>
    public bool MayHoldEntries
    {
        get
        {
            if (header.LogOffset is < MiB or > long.MaxValue - uint.MaxValue || header.LogOffset % MiB != 0)
            {
                throw Corrupt($"VHDX log at offset {header.LogOffset} is misplaced");
            }

            if (header.LogVersion != 0)
            {
                throw new ImageException(ImageErrorKind.Unsupported, name, $"VHDX log has version {header.LogVersion}, known is 0");
            }

            if (header.LogId == Guid.Empty || header.LogLength == 0)
            {
                return false;
            }

            return header.LogLength % MiB == 0 ? true : throw Corrupt($"VHDX log length {header.LogLength} is no multiple of 1 MiB");
        }
    }

    /// <summary>
    /// The entries to replay, oldest first; empty where the log holds none that is whole. A sequence of entries counts where the last of them names one of
    /// them as the tail: what that one builds on is there. Of those the newest counts.
    /// </summary>
    /// <exception cref="ImageException"><see cref="ImageErrorKind.Corrupt"/>: there are entries, but not those that they build on.</exception>
    public IReadOnlyList<VhdxLogEntry> Find()
    {
        List<VhdxLogEntry> best = [];
        List<VhdxLogEntry> any = [];
        uint at = 0;
        do
        {
            List<VhdxLogEntry> sequence = SequenceAt(at);
            if (sequence.Count == 0)
            {
                at += SectorSize;
                continue;
            }

            bool counts = sequence.Exists(entry => entry.Position == sequence[^1].Tail);
            if (counts && (best.Count == 0 || sequence[^1].SequenceNumber > best[^1].SequenceNumber))
            {
                best = sequence;
            }

            any.AddRange(sequence);

            uint end = Wrap((ulong)sequence[^1].Position + sequence[^1].Length);
            if (end <= at)
            {
                break;
            }

            at = end;
        }
        while (at < header.LogLength);

        if (best.Count == 0)
        {
            // QEMU's logs have one entry and a tail that means nothing.
            best = any.Count <= 1 ? any : throw Corrupt("VHDX log is damaged: entries that the newest ones build on are missing");
        }

        if (best.Count == 0)
        {
            return best;
        }

        // What lies before the tail has reached its place.
        int first = best.FindIndex(entry => entry.Position == best[^1].Tail);
        if ((ulong)best[^1].FlushedFileOffset > (ulong)file.Length)
        {
            throw new ImageException(ImageErrorKind.Truncated, name,
                $"VHDX log was written when the file had {best[^1].FlushedFileOffset} bytes, it has {file.Length}: the image has been truncated");
        }

        return best[Math.Max(0, first)..];
    }

    /// <summary>What an entry changes, in order.</summary>
    public IEnumerable<VhdxLogChange> ChangesOf(VhdxLogEntry entry)
    {
        uint data = entry.DescriptorSectors * SectorSize;
        byte[] raw = new byte[DescriptorLength];
        for (uint i = 0; i < entry.Descriptors; i++)
        {
            uint at = HeaderLength + i * DescriptorLength;
            Read(entry.Position, at, raw);
            ulong offset = BinaryPrimitives.ReadUInt64LittleEndian(raw.AsSpan(16));
            if (raw.AsSpan().StartsWith("zero"u8))
            {
                yield return new VhdxLogChange(Checked(offset), Checked(BinaryPrimitives.ReadUInt64LittleEndian(raw.AsSpan(8))), null);
            }
            else
            {
                yield return new VhdxLogChange(Checked(offset), SectorSize, new VhdxLogData(entry.Position, at, data));
                data += SectorSize;
            }
        }
    }

    /// <summary>Reads the sector that a change puts in place: its two ends stand in the descriptor.</summary>
    public void ReadData(VhdxLogData data, Span<byte> sector)
    {
        Span<byte> descriptor = stackalloc byte[DescriptorLength];
        Read(data.Entry, data.DataAt, sector);
        Read(data.Entry, data.DescriptorAt, descriptor);
        descriptor.Slice(8, 8).CopyTo(sector);
        descriptor.Slice(4, 4).CopyTo(sector[^4..]);
    }

    private List<VhdxLogEntry> SequenceAt(uint at)
    {
        List<VhdxLogEntry> sequence = [];
        ulong total = 0;
        while (EntryAt(at) is { } entry && (sequence.Count == 0 || entry.SequenceNumber == sequence[^1].SequenceNumber + 1))
        {
            total += entry.Length;
            if (total > header.LogLength)
            {
                break;
            }

            sequence.Add(entry);
            at = Wrap((ulong)at + entry.Length);
        }

        return sequence;
    }

    private VhdxLogEntry? EntryAt(uint position)
    {
        Span<byte> raw = stackalloc byte[HeaderLength];
        Read(position, 0, raw);
        if (!raw.StartsWith("loge"u8) || new Guid(raw[32..48]) != header.LogId)
        {
            return null;
        }

        VhdxLogEntry entry = new(
            position,
            BinaryPrimitives.ReadUInt32LittleEndian(raw[8..]),
            BinaryPrimitives.ReadUInt32LittleEndian(raw[12..]),
            BinaryPrimitives.ReadUInt64LittleEndian(raw[16..]),
            BinaryPrimitives.ReadUInt32LittleEndian(raw[24..]),
            (long)Math.Min(BinaryPrimitives.ReadUInt64LittleEndian(raw[48..]), long.MaxValue),
            (long)Math.Min(BinaryPrimitives.ReadUInt64LittleEndian(raw[56..]), long.MaxValue));
        bool plausible = entry.SequenceNumber != 0 && entry.Length % SectorSize == 0 && entry.Length is not 0 && entry.Length <= header.LogLength
            && entry.Descriptors <= (entry.Length - HeaderLength) / DescriptorLength;
        return plausible && IsWhole(entry, BinaryPrimitives.ReadUInt32LittleEndian(raw[4..])) && AreDescriptorsValid(entry) ? entry : null;
    }

    private bool IsWhole(VhdxLogEntry entry, uint checksum)
    {
        _budget -= entry.Length;
        if (_budget < 0)
        {
            throw Corrupt("VHDX log is damaged: too many entries claim to be in it");
        }

        uint crc = 0;
        for (uint at = 0; at < entry.Length; at += SectorSize)
        {
            Read(entry.Position, at, _sector);
            crc = at == 0
                ? VhdxChecksum.Continue(VhdxChecksum.StartOf(_sector.AsSpan(0, 8)), _sector.AsSpan(8))
                : VhdxChecksum.Continue(crc, _sector);
        }

        return ~crc == checksum;
    }

    private bool AreDescriptorsValid(VhdxLogEntry entry)
    {
        ulong sectors = entry.DescriptorSectors;
        Span<byte> raw = stackalloc byte[DescriptorLength];
        Span<byte> data = stackalloc byte[8];
        Span<byte> sequenceLow = stackalloc byte[4];
        for (uint i = 0; i < entry.Descriptors; i++)
        {
            Read(entry.Position, HeaderLength + i * DescriptorLength, raw);
            bool aligned = BinaryPrimitives.ReadUInt64LittleEndian(raw[16..]) % SectorSize == 0;
            bool sameSequence = BinaryPrimitives.ReadUInt64LittleEndian(raw[24..]) == entry.SequenceNumber;
            if (!aligned || !sameSequence)
            {
                return false;
            }

            if (raw.StartsWith("zero"u8))
            {
                if (BinaryPrimitives.ReadUInt64LittleEndian(raw[8..]) % SectorSize != 0)
                {
                    return false;
                }

                continue;
            }

            if (!raw.StartsWith("desc"u8) || (sectors + 1) * SectorSize > entry.Length)
            {
                return false;
            }

            uint at = (uint)(sectors * SectorSize);
            Read(entry.Position, at, data);
            Read(entry.Position, at + SectorSize - 4, sequenceLow);
            ulong sequence = (ulong)BinaryPrimitives.ReadUInt32LittleEndian(data[4..]) << 32 | BinaryPrimitives.ReadUInt32LittleEndian(sequenceLow);
            if (!data.StartsWith("data"u8) || sequence != entry.SequenceNumber)
            {
                return false;
            }

            sectors++;
        }

        return true;
    }

    // No structure that is read at once crosses a sector, so none is cut by the log's end.
    private void Read(uint entry, uint at, Span<byte> buffer) => file.ReadPadded((long)header.LogOffset + Wrap((ulong)entry + at), buffer);

    private uint Wrap(ulong position) => (uint)(position % header.LogLength);

    private long Checked(ulong value) =>
        value <= long.MaxValue / 2 ? (long)value : throw Corrupt($"VHDX log changes the file at offset {value}");

    private ImageException Corrupt(string message) => new(ImageErrorKind.Corrupt, name, message);
}

/// <summary>An entry of the log. Positions are bytes from the log's start, lengths bytes.</summary>
internal sealed record VhdxLogEntry(
    uint Position, uint Length, uint Tail, ulong SequenceNumber, uint Descriptors, long FlushedFileOffset, long LastFileOffset)
{
    /// <summary>The header takes the room of two descriptors in the first sector.</summary>
    public uint DescriptorSectors => (Descriptors + 2 + 127) / 128;
}

/// <summary>A change that the log makes to the file: zeros, or one sector of 4 KiB.</summary>
internal readonly record struct VhdxLogChange(long FileOffset, long Length, VhdxLogData? Data);

/// <summary>Where in the log a sector's bytes stand: descriptor and data, from the start of an entry.</summary>
internal readonly record struct VhdxLogData(uint Entry, uint DescriptorAt, uint DataAt);
