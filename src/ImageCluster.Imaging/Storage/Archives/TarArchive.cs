using System.Globalization;
using System.Text;

namespace ImageCluster.Imaging.Storage.Archives;

/// <summary>
/// The members of a tar archive (ustar, pax, GNU), found by walking its headers; nothing is unpacked. Each member must lie in the file, and no name may occur
/// twice: which of two would be meant is anybody's guess.
/// </summary>
public sealed class TarArchive
{
    /// <summary>Members at the most.</summary>
    public const int MaxEntries = 65536;

    // Of a pax header or a long name: bytes.
    private const int MaxMetadata = 1 << 20;

    private readonly IBlockFile _file;
    private readonly long _length;
    private readonly List<TarEntry> _entries = [];
    private readonly HashSet<string> _names = [];
    private readonly Dictionary<string, string> _global = [];

    private TarArchive(IBlockFile file)
    {
        _file = file;
        _length = file.Length;
    }

    /// <summary>In the archive's order.</summary>
    public IReadOnlyList<TarEntry> Entries => _entries;

    /// <summary>Walks the archive. The file stays the caller's.</summary>
    /// <exception cref="ImageException">It is no tar archive, or a damaged one.</exception>
    public static TarArchive Read(IBlockFile file)
    {
        TarArchive archive = new(file);
        archive.Walk();
        return archive;
    }

    private void Walk()
    {
        Dictionary<string, string> extended = [];
        string? longName = null;
        byte[] block = new byte[TarHeader.BlockLength];
        for (long at = 0; at < _length;)
        {
            TarHeader header = ReadHeader(at, block);
            if (header.IsZero)
            {
                break;
            }

            char type = header.Type;
            long size = extended.TryGetValue("size", out string? stated) && type is not ('x' or 'g' or 'L' or 'K') ? Size(stated, at) : header.Size
                ?? throw Corrupt($"the header at offset {at:#,0} states no size");
            long data = at + TarHeader.BlockLength;
            switch (type)
            {
                case 'x' or 'g':
                    ReadRecords(data, size, type == 'g' ? _global : extended);
                    break;
                case 'L':
                    longName = Encoding.UTF8.GetString(ReadMetadata(data, size)).TrimEnd('\0');
                    break;
                case 'K':
                    break;
                default:
                    data = type == 'S' && header.SparseMapGoesOn ? SkipMap(data) : data;
                    string name = extended.GetValueOrDefault("path") ?? longName ?? _global.GetValueOrDefault("path") ?? header.Name;
                    Add(name, data, size, KindOf(type, extended));
                    extended.Clear();
                    longName = null;
                    break;
            }

            at = Next(data, size);
        }
    }

    private TarHeader ReadHeader(long at, byte[] block)
    {
        if (_file.Read(at, block) < block.Length)
        {
            throw new ImageException(ImageErrorKind.Truncated, _file.Name, $"The archive is truncated in the header at offset {at:#,0}");
        }

        TarHeader header = new(block);
        if (!header.IsZero && !header.ChecksumIsGood)
        {
            throw at == 0
                ? new ImageException(ImageErrorKind.NotThisFormat, _file.Name, "This is not a tar archive")
                : Corrupt($"the checksum of the header at offset {at:#,0} is wrong");
        }

        return header;
    }

    private static TarEntryKind KindOf(char type, Dictionary<string, string> extended) => type switch
    {
        _ when extended.Keys.Any(static key => key.StartsWith("GNU.sparse.", StringComparison.Ordinal)) => TarEntryKind.SparseFile,
        'S' => TarEntryKind.SparseFile,
        '0' or '\0' or '7' => TarEntryKind.File,
        _ => TarEntryKind.Other,
    };

    private void Add(string name, long data, long size, TarEntryKind kind)
    {
        name = name.StartsWith("./", StringComparison.Ordinal) ? name[2..] : name;
        if (_entries.Count == MaxEntries)
        {
            throw new ImageException(ImageErrorKind.Limit, _file.Name, $"The archive holds more than {MaxEntries:#,0} members");
        }

        if (kind != TarEntryKind.Other && !_names.Add(name))
        {
            throw Corrupt($"'{Shown(name)}' occurs twice");
        }

        if (size > _length - data)
        {
            throw new ImageException(ImageErrorKind.Truncated, _file.Name,
                $"The archive is truncated: '{Shown(name)}' at offset {data:#,0} needs {size:#,0} bytes, the file ends at {_length:#,0}");
        }

        _entries.Add(new TarEntry(name, data, size, kind));
    }

    private long SkipMap(long at)
    {
        byte[] block = new byte[TarHeader.BlockLength];
        do
        {
            if (_file.Read(at, block) < block.Length)
            {
                throw new ImageException(ImageErrorKind.Truncated, _file.Name, $"The archive is truncated in the map of a sparse file at offset {at:#,0}");
            }

            at += block.Length;
        }
        while (TarHeader.MapBlockGoesOn(block));
        return at;
    }

    private void ReadRecords(long at, long size, Dictionary<string, string> values)
    {
        if (!PaxRecords.TryRead(ReadMetadata(at, size), values))
        {
            throw Corrupt($"the pax header at offset {at:#,0} cannot be taken apart");
        }
    }

    private byte[] ReadMetadata(long at, long size)
    {
        if (size > MaxMetadata)
        {
            throw new ImageException(ImageErrorKind.Limit, _file.Name, $"The archive's metadata at offset {at:#,0} is larger than {MaxMetadata:#,0} bytes");
        }

        byte[] bytes = new byte[size];
        return _file.Read(at, bytes) == size
            ? bytes
            : throw new ImageException(ImageErrorKind.Truncated, _file.Name, $"The archive is truncated in the metadata at offset {at:#,0}");
    }

    private long Size(string text, long at) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long size)
        ? size
        : throw Corrupt($"the header at offset {at:#,0} states no size");

    // A size is at most the file's length by now, or what follows is at the end.
    private long Next(long data, long size) =>
        size > _length - data ? _length : data + ((size + TarHeader.BlockLength - 1) & -TarHeader.BlockLength);

    private ImageException Corrupt(string what) => new(ImageErrorKind.Corrupt, _file.Name, $"The archive is damaged: {what}");

    /// <summary>A name out of an archive, fit for a message.</summary>
    internal static string Shown(string name)
    {
        string clean = string.Concat(name.Take(200).Select(static c => char.IsControl(c) ? '?' : c));
        return name.Length > 200 ? clean + "..." : clean;
    }
}
