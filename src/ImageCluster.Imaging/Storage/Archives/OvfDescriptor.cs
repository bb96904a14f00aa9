using System.Globalization;
using System.Xml;

namespace ImageCluster.Imaging.Storage.Archives;

/// <summary>
/// What an OVF descriptor (DMTF DSP0243) says of files and disks. Element and attribute names are taken whatever their namespace: there are several
/// versions, and tools that get them wrong.
/// </summary>
internal sealed class OvfDescriptor
{
    private const int MaxCharacters = 16 << 20;
    private const int MaxItems = 4096;

    private readonly Dictionary<string, OvfFile> _files = [];
    private readonly List<OvfDisk> _disks = [];

    private OvfDescriptor()
    {
    }

    /// <summary>In the descriptor's order, blank ones too.</summary>
    public IReadOnlyList<OvfDisk> Disks => _disks;

    /// <summary>The (first) virtual machine's name; null where there is none.</summary>
    public string? SystemName { get; private set; }

    public OvfFile? File(string id) => _files.GetValueOrDefault(id);

    /// <exception cref="ImageException">The text is no XML, or too much.</exception>
    public static OvfDescriptor Parse(byte[] text, string file)
    {
        OvfDescriptor descriptor = new();
        XmlReaderSettings settings = new()
        {
            DtdProcessing = DtdProcessing.Prohibit,
            XmlResolver = null,
            MaxCharactersInDocument = MaxCharacters,
            IgnoreComments = true,
            IgnoreProcessingInstructions = true,
        };
        try
        {
            using XmlReader reader = XmlReader.Create(new MemoryStream(text), settings);
            while (reader.Read())
            {
                if (reader.NodeType == XmlNodeType.Element)
                {
                    descriptor.Take(reader, file);
                }
            }

            return descriptor;
        }
        catch (XmlException e)
        {
            throw new ImageException(ImageErrorKind.Corrupt, file, $"The OVF descriptor cannot be read as XML (line {e.LineNumber})", e);
        }
    }

    private void Take(XmlReader reader, string file)
    {
        switch (reader.LocalName)
        {
            case "File" when Attribute(reader, "id") is { } id && Attribute(reader, "href") is { } href:
                _files[id] = new OvfFile(href, Attribute(reader, "compression") ?? "", Attribute(reader, "chunkSize") is not null);
                break;
            case "Disk" when Attribute(reader, "diskId") is { } id:
                long? capacity = Capacity(Attribute(reader, "capacity"), Attribute(reader, "capacityAllocationUnits"));
                _disks.Add(new OvfDisk(id, Attribute(reader, "fileRef"), capacity, Attribute(reader, "format") ?? ""));
                break;
            case "VirtualSystem":
                SystemName ??= Attribute(reader, "id");
                break;
        }

        if (_files.Count > MaxItems || _disks.Count > MaxItems)
        {
            throw new ImageException(ImageErrorKind.Limit, file, $"The OVF descriptor names more than {MaxItems:#,0} files or disks");
        }
    }

    private static string? Attribute(XmlReader reader, string name)
    {
        string? value = null;
        for (bool more = reader.MoveToFirstAttribute(); more; more = reader.MoveToNextAttribute())
        {
            if (reader.LocalName == name)
            {
                value = reader.Value;
            }
        }

        reader.MoveToElement();
        return value;
    }

    // Units are "byte", "byte * 2^30" (DSP0004, annex C) or, of old, a word.
    private static long? Capacity(string? number, string? units)
    {
        if (!long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out long value))
        {
            return null;
        }

        string unit = (units ?? "byte").Replace(" ", "", StringComparison.Ordinal).ToUpperInvariant();
        int? shift = unit switch
        {
            "BYTE" or "BYTES" => 0,
            "KILOBYTES" => 10,
            "MEGABYTES" => 20,
            "GIGABYTES" => 30,
            _ when unit.StartsWith("BYTE*2^", StringComparison.Ordinal) && int.TryParse(unit.AsSpan(7), NumberStyles.None, CultureInfo.InvariantCulture, out int power) => power,
            _ => null,
        };
        return shift is { } by and < 63 && value <= long.MaxValue >> by ? value << by : null;
    }
}

/// <summary>A file that a descriptor refers to.</summary>
/// <param name="Href">Its name in the archive, or an address elsewhere.</param>
/// <param name="Compression">Empty or <c>identity</c> for none.</param>
/// <param name="InChunks">It is cut into several members.</param>
internal sealed record OvfFile(string Href, string Compression, bool InChunks);

/// <summary>A disk of a descriptor.</summary>
/// <param name="FileId">Null for one that is made empty.</param>
internal sealed record OvfDisk(string Id, string? FileId, long? Capacity, string Format);
