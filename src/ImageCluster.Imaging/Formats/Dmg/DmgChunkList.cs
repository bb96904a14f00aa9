using System.Buffers.Binary;
using System.Text;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Dmg;

/// <summary>Reads the chunks of an image out of its property list or resource fork; each block ("mish") there lists those of one partition.</summary>
internal sealed class DmgChunkList
{
    public const long MaxLength = 64 << 20;
    public const long MaxSectors = MaxLength / SectorSize;

    private const int SectorSize = 512;
    private const uint BlockMagic = 0x6d697368;
    private const int BlockHeaderLength = 204;
    private const int EntryLength = 40;

    private readonly string _name;
    private readonly long _dataForkOffset;
    private readonly List<DmgChunk> _chunks = [];
    private long _number;

    private DmgChunkList(string name, long dataForkOffset)
    {
        _name = name;
        _dataForkOffset = dataForkOffset;
    }

    /// <summary>All chunks by their first sector.</summary>
    public static DmgChunk[] Read(IBlockFile file, string name, DmgTrailer trailer)
    {
        DmgChunkList list = new(name, trailer.DataForkOffset);
        byte[] raw = new byte[trailer.ListLength];
        file.ReadExactly(trailer.ListOffset, raw, "list of chunks");
        if (trailer.IsPropertyList)
        {
            list.ReadPropertyList(raw);
        }
        else
        {
            list.ReadResourceFork(raw);
        }

        return [.. list._chunks.OrderBy(static chunk => chunk.Sector)];
    }

    // As QEMU: whatever stands between <data> tags, if it is a block of chunks.
    private void ReadPropertyList(ReadOnlySpan<byte> xml)
    {
        for (int start; (start = xml.IndexOf("<data>"u8)) >= 0;)
        {
            xml = xml[(start + 6)..];
            int end = xml.IndexOf("</data>"u8);
            if (end < 0)
            {
                throw Corrupt("dmg property list is malformed");
            }

            ReadBlock(Base64(xml[..end]));
            xml = xml[end..];
        }
    }

    private void ReadResourceFork(ReadOnlySpan<byte> fork)
    {
        uint dataOffset = fork.Length >= 12 ? BinaryPrimitives.ReadUInt32BigEndian(fork) : throw Corrupt("dmg resource fork is malformed");
        uint dataLength = BinaryPrimitives.ReadUInt32BigEndian(fork[8..]);
        if (dataLength == 0 || dataOffset + (ulong)dataLength > (ulong)fork.Length)
        {
            throw Corrupt("dmg resource fork is malformed");
        }

        for (ReadOnlySpan<byte> data = fork.Slice((int)dataOffset, (int)dataLength); data.Length > 0;)
        {
            uint length = data.Length >= 4 ? BinaryPrimitives.ReadUInt32BigEndian(data) : 0;
            if (length == 0 || length > data.Length - 4)
            {
                throw Corrupt("dmg resource fork is malformed");
            }

            ReadBlock(data.Slice(4, (int)length));
            data = data[(4 + (int)length)..];
        }
    }

    private void ReadBlock(ReadOnlySpan<byte> block)
    {
        if (block.Length < BlockHeaderLength + EntryLength || BinaryPrimitives.ReadUInt32BigEndian(block) != BlockMagic)
        {
            return;
        }

        ulong firstSector = BinaryPrimitives.ReadUInt64BigEndian(block[8..]);
        ulong dataOffset = BinaryPrimitives.ReadUInt64BigEndian(block[0x18..]) + (ulong)_dataForkOffset;
        for (int at = BlockHeaderLength; at + EntryLength <= block.Length; at += EntryLength)
        {
            ReadEntry(block.Slice(at, EntryLength), firstSector, dataOffset);
        }
    }

    private void ReadEntry(ReadOnlySpan<byte> entry, ulong firstSector, ulong dataOffset)
    {
        DmgChunkType type = (DmgChunkType)BinaryPrimitives.ReadUInt32BigEndian(entry);
        if (!Enum.IsDefined(type))
        {
            // Comments and ends of lists.
            return;
        }

        ulong sector = unchecked(BinaryPrimitives.ReadUInt64BigEndian(entry[8..]) + firstSector);
        ulong sectors = BinaryPrimitives.ReadUInt64BigEndian(entry[16..]);
        ulong offset = unchecked(BinaryPrimitives.ReadUInt64BigEndian(entry[24..]) + dataOffset);
        ulong length = BinaryPrimitives.ReadUInt64BigEndian(entry[32..]);
        if (type is not (DmgChunkType.Zero or DmgChunkType.Ignore) && sectors > MaxSectors)
        {
            throw Corrupt($"sector count {sectors} for chunk {_number} is larger than max ({MaxSectors})");
        }

        if (length > MaxLength)
        {
            throw Corrupt($"length {length} for chunk {_number} is larger than max ({MaxLength})");
        }

        _number++;
        if (sector > long.MaxValue / SectorSize || sectors > (ulong)(long.MaxValue / SectorSize) - sector || offset > long.MaxValue / 2)
        {
            throw Corrupt($"chunk {_number - 1} lies behind what a disk or a file can hold");
        }

        if (sectors > 0)
        {
            _chunks.Add(new DmgChunk(type, (long)sector, (long)sectors, (long)offset, (long)length));
        }
    }

    private byte[] Base64(ReadOnlySpan<byte> text)
    {
        try
        {
            return Convert.FromBase64String(Encoding.ASCII.GetString(text));
        }
        catch (FormatException e)
        {
            throw new ImageException(ImageErrorKind.Corrupt, _name, "dmg property list is malformed", e);
        }
    }

    private ImageException Corrupt(string message) => new(ImageErrorKind.Corrupt, _name, message);
}
