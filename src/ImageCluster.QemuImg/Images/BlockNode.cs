using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Protocols;
using ImageCluster.QemuImg.CommandLine;
using ImageCluster.QemuImg.Output;

namespace ImageCluster.QemuImg.Images;

/// <summary>
/// A node of QEMU's block graph as options describe it: a format's driver over the node that holds its bytes, or a protocol's at the bottom.
/// Read from options by their full names (<c>file.driver</c>, <c>backing.file.filename</c>); complaints are QEMU's.
/// </summary>
internal sealed class BlockNode
{
    private readonly Dictionary<string, string> _options = [];
    private readonly QDict _significant = [];
    private readonly QDict _address = [];
    private readonly BlockNode? _file;
    private string? _name;

    private BlockNode(BlockOptions given, string? driver, bool isTop)
    {
        Driver = driver;
        ImageFormat? format = driver is null ? null : FormatRegistry.Find(driver);
        IsProtocol = (!isTop && driver is null) || RuntimeOptions.IsFileDriver(driver) || (driver is not null && ProtocolRegistry.FindDriver(driver) is not null);
        if (driver is not null && format is null && !IsProtocol)
        {
            throw Invalid($"Unknown driver '{driver}'");
        }

        FileName = IsProtocol ? ReadFileName(given) : "";
        if (!IsProtocol)
        {
            _file = ReadFile(given);
            FileName = _file.FileName;
            ReadBacking(given);
        }

        ReadOptions(given);
    }

    /// <summary>As stated; null where the format is to be probed, or the protocol told by the name.</summary>
    public string? Driver { get; }

    /// <summary>The node is a file (or an export) itself, without a format.</summary>
    public bool IsProtocol { get; }

    /// <summary>The file at the bottom, by a name for the locator.</summary>
    public string FileName { get; }

    /// <summary>The driver's own options.</summary>
    public IReadOnlyDictionary<string, string> Options => _options;

    /// <summary>What is to stand below instead of what the header names; null for that.</summary>
    public BackingNode? Backing { get; private set; }

    /// <summary>The image is to be opened alone (<c>backing</c>: null).</summary>
    public bool WithoutBacking { get; private set; }

    /// <summary>The old way of saying so was used: an empty string.</summary>
    public bool UsesEmptyBacking { get; private set; }

    public bool IsReadOnly { get; private set; }

    public bool ForcesSharing { get; private set; }

    /// <summary>The image's file is the storage's, not another image's disk.</summary>
    private bool IsPlain => IsProtocol || _file!.IsProtocol;

    /// <param name="flat">Options by their full names.</param>
    /// <param name="statedFormat">A format that goes before the driver that the options state; null for none.</param>
    /// <exception cref="ImageException">In QEMU's words.</exception>
    public static BlockNode Parse(IReadOnlyDictionary<string, object?> flat, string? statedFormat)
    {
        BlockOptions given = new(flat);
        if (given.IsEmpty || (given.Text("driver") is null && statedFormat is null && !given.Has("file") && given.Child("file").IsEmpty))
        {
            throw Invalid("Must specify either driver or file");
        }

        BlockNode top = new(given, statedFormat ?? given.Text("driver"), isTop: true);
        HashSet<string> names = [];
        for (BlockNode? node = top; node is not null; node = node._file)
        {
            if (node._name is { } name && !names.Add(name))
            {
                throw Invalid($"Duplicate nodes with node-name='{name}'");
            }
        }

        return top;
    }

    /// <summary>The name that info shows for an image of this format: the file's own where that says all.</summary>
    public string DisplayName(string formatName)
    {
        if (IsPlain && _significant.Count == 0)
        {
            return ImageReference.PlainName(FileName);
        }

        StringWriter text = new();
        text.Write("json:");
        QemuJson.WriteCompact(text, Describe(formatName));
        return text.ToString();
    }

    /// <summary>For the engine. Secrets come from the command line.</summary>
    public ImageSource ToSource(CommandHost host) => new()
    {
        FileName = FileName,
        Format = IsProtocol ? "raw" : Driver,
        Options = _options,
        Secret = host.Secrets.Lookup(_options, FileName),
        Container = ContainerOf(host),
        DisplayName = IsPlain ? null : DisplayName(Driver ?? "raw"),
        FollowBacking = !WithoutBacking,
        Backing = Backing?.ToSource(host),
    };

    private ImageSource? ContainerOf(CommandHost host)
    {
        if (IsPlain)
        {
            return null;
        }

        ImageSource container = _file!.ToSource(host);
        return container with { DisplayName = _file.DisplayName(_file.Driver ?? "raw") };
    }

    private QDict Describe(string formatName)
    {
        if (IsProtocol && !RuntimeOptions.IsFileDriver(Driver ?? "file") && !_address.Any(static option => option.Key == "filename"))
        {
            QDict node = new() { { "driver", Driver! } };
            foreach ((string key, object value) in _address)
            {
                node.Add(key, value);
            }

            return node;
        }

        if (IsProtocol)
        {
            return new QDict { { "driver", Driver ?? "file" }, { "filename", ImageReference.PlainName(FileName) } };
        }

        QDict whole = new() { { "driver", formatName }, { "file", _file!.Describe(_file.Driver ?? "raw") } };
        foreach ((string key, object value) in _significant)
        {
            whole.Add(key, value);
        }

        return whole;
    }

    private string ReadFileName(BlockOptions given)
    {
        string? name = given.Text("filename");
        if (Driver is not null && !RuntimeOptions.IsFileDriver(Driver))
        {
            return name ?? ProtocolRegistry.FindDriver(Driver)!.NameOf(Driver, given.OwnTexts(static key => key != "driver" && !RuntimeOptions.IsGeneric(key)));
        }

        if (Driver is null)
        {
            return name ?? throw Invalid("Must specify either driver or file");
        }

        // A stated driver takes the name as it is, colons and all.
        return string.IsNullOrEmpty(name)
            ? throw Invalid($"The '{Driver}' block driver requires a file name")
            : Driver == "host_device" || ImagePath.HasProtocol(name) ? $"{Driver}:{name}" : name;
    }

    private static BlockNode ReadFile(BlockOptions given)
    {
        BlockOptions below = given.Child("file");
        if (given.Text("file") is { } reference)
        {
            throw Invalid(below.IsEmpty
                ? $"Cannot find device='{reference}' nor node-name='{reference}'"
                : "Cannot reference an existing block device with additional options or a new filename");
        }

        return below.IsEmpty ? throw Invalid("A block device must be specified for \"file\"") : new BlockNode(below, below.Text("driver"), isTop: false);
    }

    private void ReadBacking(BlockOptions given)
    {
        UsesEmptyBacking = given.Text("backing") is "";
        WithoutBacking = UsesEmptyBacking || (given.Has("backing") && given.Text("backing") is null);
        BlockOptions below = given.Child("backing");
        if (!WithoutBacking && (!below.IsEmpty || given.Has("backing")))
        {
            Backing = new BackingNode(below, given.Text("backing"));
        }
    }

    private void ReadOptions(BlockOptions given)
    {
        foreach ((string key, object? value) in given.Own(IsProtocol))
        {
            if (key is "driver" or "file" or "backing")
            {
                continue;
            }

            string text = BlockOptions.TextOf(value);
            RuntimeOptions.Check(key, text);
            if (RuntimeOptions.IsGeneric(key))
            {
                _name = key == "node-name" ? text : _name;
                IsReadOnly |= key == "read-only" && RuntimeOptions.IsOn(text);
                ForcesSharing |= key == "force-share" && RuntimeOptions.IsOn(text);
            }
            else if (IsProtocol)
            {
                CheckProtocolOption(key);
                _address.Add(key, value ?? "");
            }
            else
            {
                RuntimeOptions.CheckDriver(Driver, key);
                _options[key == "data-file.file.filename" ? "data-file.filename" : key] = text;
                if (RuntimeOptions.IsSignificant(key))
                {
                    _significant.Add(key, value);
                }
            }
        }

        IsReadOnly |= _file is { IsReadOnly: true };
    }

    private void CheckProtocolOption(string key)
    {
        string driver = Driver ?? "file";
        IReadOnlyList<string> known = ProtocolRegistry.FindDriver(driver)?.OptionNames ?? [];
        bool isKnown = RuntimeOptions.IsFileDriver(driver)
            ? RuntimeOptions.IsOfFile(key)
            : key == "filename" || known.Any(name => name == key || (name.EndsWith('.') && key.StartsWith(name, StringComparison.Ordinal)));
        if (!isKnown)
        {
            throw Invalid($"Block protocol '{driver}' doesn't support the option '{key}'");
        }
    }

    private static ImageException Invalid(string message) => new(ImageErrorKind.InvalidArgument, null, message);
}
