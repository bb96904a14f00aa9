using System.Buffers.Binary;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vhdx;

/// <summary>
/// Changes metadata by way of the log, so that a crash leaves either the old or the new: the entry is durable before the header
/// says that it counts, and the header says that it counts no more when the changes are durable in their places.
/// </summary>
internal sealed class VhdxLogWriter(IBlockFile file, VhdxHeaders headers)
{
    private const int SectorSize = VhdxLog.SectorSize;

    // An entry of one batch: with its descriptors well within the smallest log of 1 MiB.
    private const int MaxSectorsPerEntry = 200;

    /// <summary>Bytes of the log that an entry takes at the most, with two sectors of descriptors.</summary>
    public const int MaxEntryLength = (MaxSectorsPerEntry + 2) * SectorSize;

    private ulong _sequence;

    /// <summary>Writes changed ranges of metadata; durable on return.</summary>
    public void Commit(IEnumerable<(long Offset, ReadOnlyMemory<byte> Bytes)> changes)
    {
        SortedDictionary<long, byte[]> sectors = [];
        foreach ((long offset, ReadOnlyMemory<byte> bytes) in changes)
        {
            Merge(sectors, offset, bytes.Span);
        }

        foreach (KeyValuePair<long, byte[]>[] batch in sectors.Chunk(MaxSectorsPerEntry))
        {
            Commit(batch);
        }
    }

    private void Commit(KeyValuePair<long, byte[]>[] sectors)
    {
        Guid id = Guid.NewGuid();
        file.Write((long)headers.Current.LogOffset, Entry(sectors, id));
        file.Flush();
        headers.Update(header => header with { LogId = id });
        foreach ((long offset, byte[] bytes) in sectors)
        {
            file.Write(offset, bytes);
        }

        file.Flush();
        headers.Update(header => header with { LogId = Guid.Empty });
    }

    private void Merge(SortedDictionary<long, byte[]> sectors, long offset, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            long start = offset / SectorSize * SectorSize;
            int within = (int)(offset - start);
            int length = Math.Min(bytes.Length, SectorSize - within);
            if (!sectors.TryGetValue(start, out byte[]? sector))
            {
                sectors[start] = sector = new byte[SectorSize];
                file.ReadPadded(start, sector);
            }

            bytes[..length].CopyTo(sector.AsSpan(within));
            offset += length;
            bytes = bytes[length..];
        }
    }

    private byte[] Entry(KeyValuePair<long, byte[]>[] sectors, Guid id)
    {
        VhdxLogEntry shape = new(0, 0, 0, ++_sequence, (uint)sectors.Length, 0, 0);
        int dataAt = (int)shape.DescriptorSectors * SectorSize;
        byte[] entry = new byte[dataAt + sectors.Length * SectorSize];
        Span<byte> at = entry;
        "loge"u8.CopyTo(at);
        BinaryPrimitives.WriteInt32LittleEndian(at[8..], entry.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(at[16..], _sequence);
        BinaryPrimitives.WriteInt32LittleEndian(at[24..], sectors.Length);
        id.TryWriteBytes(at[32..]);
        BinaryPrimitives.WriteInt64LittleEndian(at[48..], file.Length);
        BinaryPrimitives.WriteInt64LittleEndian(at[56..], file.Length);
        for (int i = 0; i < sectors.Length; i++)
        {
            (long offset, byte[] bytes) = sectors[i];
            Span<byte> descriptor = at.Slice(VhdxLog.HeaderLength + i * VhdxLog.DescriptorLength, VhdxLog.DescriptorLength);
            "desc"u8.CopyTo(descriptor);
            bytes.AsSpan(SectorSize - 4).CopyTo(descriptor[4..]);
            bytes.AsSpan(0, 8).CopyTo(descriptor[8..]);
            BinaryPrimitives.WriteInt64LittleEndian(descriptor[16..], offset);
            BinaryPrimitives.WriteUInt64LittleEndian(descriptor[24..], _sequence);

            Span<byte> data = at.Slice(dataAt + i * SectorSize, SectorSize);
            bytes.CopyTo(data);
            "data"u8.CopyTo(data);
            BinaryPrimitives.WriteUInt32LittleEndian(data[4..], (uint)(_sequence >> 32));
            BinaryPrimitives.WriteUInt32LittleEndian(data[^4..], (uint)_sequence);
        }

        VhdxChecksum.Seal(entry);
        return entry;
    }
}
