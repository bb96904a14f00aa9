using System.Buffers.Binary;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// Changes what the header says of bitmaps so that a crash leaves the old or the new, or at worst an extension that the autoclear bit declares
/// void: each step is a write within one sector, or a write of what nothing refers to yet. A backing file's name that is in the way is
/// moved behind the extension.
/// </summary>
internal ref struct BitmapsExtension
{
    private const int SectorSize = 512;
    private const int PrefixLength = 8;
    private const int DataLength = 24;
    private const int BackingFieldsAt = 8;
    private const int Nowhere = -1;
    private const int MoreThanOnce = -2;

    private readonly IBlockFile _file;
    private readonly byte[] _cluster;
    private Header _header;

    private BitmapsExtension(Metadata metadata)
    {
        _file = metadata.File;
        _header = metadata.Header;
        _cluster = new byte[metadata.Layout.ClusterSize];
        _file.ReadPadded(0, _cluster);
    }

    /// <summary>Points the header to another directory (null: to none), durably. The directory must be durable already. The header in <paramref name="metadata"/> is replaced.</summary>
    /// <exception cref="ImageException">The header has no room for the extension.</exception>
    public static void Write(Metadata metadata, BitmapsPointer? pointer)
    {
        BitmapsExtension extension = new(metadata);
        extension.Write(pointer);
        metadata.Header = extension._header;
    }

    private void Write(BitmapsPointer? pointer)
    {
        (int at, int end, bool isLast) = Find();
        _header = _header with { Bitmaps = pointer, HasStaleBitmaps = false };
        if (pointer is { } directory)
        {
            bool done = at switch
            {
                >= 0 => Update(at, directory),
                Nowhere => TryAdd(end, directory),
                _ => false,
            };
            if (!done)
            {
                WriteWhole();
            }

            SetAutoclear(true);
        }
        else
        {
            SetAutoclear(false);
            if (at >= 0 && isLast)
            {
                // What was an extension is the end of them.
                _file.Write(at, new byte[PrefixLength]);
                _file.Flush();
            }
            else if (at != Nowhere)
            {
                WriteWhole();
            }
        }
    }

    // Where the extension stands, where the extensions' end mark does, and whether the extension is the last.
    private readonly (int At, int End, bool IsLast) Find()
    {
        long backing = BinaryPrimitives.ReadInt64BigEndian(_cluster.AsSpan(BackingFieldsAt));
        int area = backing == 0 ? _cluster.Length : (int)backing;
        int offset = _header.Version == 2 ? Header.Version2Length : (int)BinaryPrimitives.ReadUInt32BigEndian(_cluster.AsSpan(100));
        int at = Nowhere;
        int last = Nowhere;
        while (offset + PrefixLength <= area)
        {
            uint magic = BinaryPrimitives.ReadUInt32BigEndian(_cluster.AsSpan(offset));
            if (magic == HeaderExtensionMagic.End)
            {
                break;
            }

            at = magic != HeaderExtensionMagic.Bitmaps ? at : at == Nowhere ? offset : MoreThanOnce;
            last = offset;
            offset += PrefixLength + ((BinaryPrimitives.ReadInt32BigEndian(_cluster.AsSpan(offset + 4)) + 7) & ~7);
        }

        return (at, offset, last == at);
    }

    // With the autoclear bit off where that takes more than one sector.
    private bool Update(int at, BitmapsPointer pointer)
    {
        int data = at + PrefixLength;
        bool inOneSector = data / SectorSize == (data + DataLength - 1) / SectorSize;
        if (!inOneSector)
        {
            SetAutoclear(false);
        }

        _file.Write(data, Data(pointer));
        _file.Flush();
        return true;
    }

    // False where there is no end mark to turn into the extension, or no room to move the backing file's name to.
    private readonly bool TryAdd(int at, BitmapsPointer pointer)
    {
        int end = at + PrefixLength + DataLength + PrefixLength;
        bool hasEnd = at >= 0 && at % 8 == 0 && at + PrefixLength <= _cluster.Length
            && BinaryPrimitives.ReadUInt32BigEndian(_cluster.AsSpan(at)) == HeaderExtensionMagic.End;
        if (!hasEnd || end > _cluster.Length || !TryMoveName(end))
        {
            return false;
        }

        _file.Write(at + PrefixLength, [.. Data(pointer), .. new byte[PrefixLength]]);
        _file.Flush();
        Span<byte> prefix = stackalloc byte[PrefixLength];
        BinaryPrimitives.WriteUInt32BigEndian(prefix, HeaderExtensionMagic.Bitmaps);
        BinaryPrimitives.WriteInt32BigEndian(prefix[4..], DataLength);
        _file.Write(at, prefix);
        _file.Flush();
        return true;
    }

    // The copy first, then the header's fields.
    private readonly bool TryMoveName(int end)
    {
        int name = (int)BinaryPrimitives.ReadInt64BigEndian(_cluster.AsSpan(BackingFieldsAt));
        int length = BinaryPrimitives.ReadInt32BigEndian(_cluster.AsSpan(BackingFieldsAt + sizeof(long)));
        if (name == 0 || name >= end)
        {
            return true;
        }

        int to = Math.Max(end, name + length);
        if (length > _cluster.Length - to)
        {
            return false;
        }

        _file.Write(to, _cluster.AsSpan(name, length));
        _file.Flush();
        Span<byte> field = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64BigEndian(field, to);
        _file.Write(BackingFieldsAt, field);
        _file.Flush();
        return true;
    }

    // Where nothing else will do.
    private void WriteWhole()
    {
        SetAutoclear(false);
        HeaderWriter.Replace(_file, _header);
    }

    private void SetAutoclear(bool valid)
    {
        AutoclearFeatures features = valid ? _header.Autoclear | AutoclearFeatures.Bitmaps : _header.Autoclear & ~AutoclearFeatures.Bitmaps;
        if (features != _header.Autoclear)
        {
            HeaderPatch.WriteAutoclear(_file, features);
            _file.Flush();
            _header = _header with { Autoclear = features };
        }
    }

    private static byte[] Data(BitmapsPointer pointer)
    {
        byte[] data = new byte[DataLength];
        BinaryPrimitives.WriteInt32BigEndian(data, pointer.Count);
        BinaryPrimitives.WriteInt64BigEndian(data.AsSpan(8), pointer.DirectorySize);
        BinaryPrimitives.WriteInt64BigEndian(data.AsSpan(16), pointer.DirectoryOffset);
        return data;
    }
}
