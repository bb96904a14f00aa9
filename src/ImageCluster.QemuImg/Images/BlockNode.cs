using System.Globalization;
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
    /// <summary>What is wrong with zeros that are to be unmapped where nothing may be.</summary>
    public const string DetectsWithoutUnmap = "setting detect-zeroes to unmap is not allowed without setting discard operation to unmap";

    private readonly Dictionary<string, string> _options = [];
    private readonly QDict _significant = [];
    private readonly QDict _address = [];
    private readonly BlockNode? _file;
    private readonly List<BlockNode> _others = [];
    private readonly string[] _childNames = [];
    private readonly bool _isDirect;
    private readonly DataFileNode? _dataFile;
    private string? _name;
    private string? _probed;

    private BlockNode(BlockOptions given, string? driver, bool isTop, bool isDirect = false)
    {
        Driver = driver;
        _isDirect = isDirect || given.Text("cache.direct") is "on" or "yes" or "true" or "y";
        ImageFormat? format = driver is null ? null : FormatRegistry.Find(driver);
        IsProtocol = (!isTop && driver is null) || RuntimeOptions.IsFileDriver(driver) || (driver is not null && ProtocolRegistry.FindDriver(driver) is not null);
        if (driver is not null && format is null && !IsProtocol)
        {
            throw Invalid(UnsupportedDrivers.Refusal(driver) ?? $"Unknown driver '{driver}'");
        }

        if (isTop && given.OwnTexts(RuntimeOptions.IsInherited).Select(static option => Caught(() => RuntimeOptions.Check(option.Key, option.Value))).FirstOrDefault(static complaint => complaint is not null) is { } wrong)
        {
            throw wrong;
        }

        FileName = IsProtocol ? ReadFileName(given) : "";
        if (!IsProtocol)
        {
            _childNames = ChildNames(given);
            _file = ReadChild(given, _childNames[0]);
            _others.AddRange(_childNames.Skip(1).Select(name => ReadChild(given, name)));
            FileName = _file.FileName;
            ReadBacking(given);
        }

        ReadOptions(given, isTop);
        if (!IsProtocol && DataFileNode.Of(given.Child("data-file")) is { } data)
        {
            _dataFile = data.PlainName is null ? data : null;
            if (data.PlainName is { } name)
            {
                _options["data-file.filename"] = name;
            }
        }
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

    /// <summary>What <c>read-only</c> says; null where it says nothing.</summary>
    public bool? ReadOnly { get; private set; }

    public bool ForcesSharing { get; private set; }

    /// <summary>What <c>detect-zeroes</c> says of writes of nothing but zeros: on or unmap; null for nothing.</summary>
    public string? DetectZeroes { get; private set; }

    /// <summary>What is wrong with the options, found before any file is opened; null for nothing.</summary>
    public ImageException? FirstComplaint { get; private set; }

    /// <summary>What is wrong with them, found when the file is open and before the format looks at it; null for nothing.</summary>
    public ImageException? FileComplaint { get; private set; }

    /// <summary>As <see cref="FileComplaint"/>, where the image is not opened so that zeros are unmapped.</summary>
    public ImageException? UnmapComplaint { get; private set; }

    /// <summary>What <c>read-only</c> says is said of its file, not of itself.</summary>
    public bool HasReadOnlyFile { get; private set; }

    /// <summary><c>auto-read-only</c>: what cannot be written is opened for reading, also where it is to be written.</summary>
    public bool FallsBackToReading { get; private set; }

    /// <summary>The file is to be opened without locks (<c>locking=off</c>).</summary>
    public bool IsUnlocked { get; private set; }

    /// <summary>The file's driver is to use native AIO, which needs a cache mode without the page cache.</summary>
    public bool NeedsDirectCache { get; private set; }

    /// <summary>The image's file is the storage's, not another image's disk.</summary>
    private bool IsPlain => IsProtocol || _file!.IsProtocol;

    // The name of its file says all: no filter stands between, and the file is no node that only options describe.
    private bool HasName => IsProtocol
        ? Driver is null || _address.Count == 0 || ProtocolRegistry.FindDriver(Driver) is not { TakesFileName: false }
        : IsNamedFilter
            ? _options.Keys.All(static option => option == "config") && _file!.SaysAll && _others.TrueForAll(static other => other.SaysAll)
            : Driver != "quorum" && (_file!.IsProtocol || _file.IsNamedFilter) && _file.HasName && !RuntimeOptions.IsFilter(Driver);

    // As a part of a filter's name.
    private bool SaysAll => HasName && _significant.Count == 0;

    // A filter that has the ways of a protocol: a name of its own, and children of other names.
    private bool IsNamedFilter => Driver is "blkdebug" or "blkverify";

    private string Name => Driver switch
    {
        _ when IsProtocol => ProtocolRegistry.FindDriver(Driver ?? "file")?.DisplayName(FileName) ?? ImageReference.PlainName(FileName),
        "blkdebug" => $"blkdebug:{_options.GetValueOrDefault("config")}:{_file!.Name}",
        "blkverify" => $"blkverify:{_file!.Name}:{_others[0].Name}",
        _ => _file!.Name,
    };

    /// <summary>Why nothing can be found beside the file, which is several at once; null where it can.</summary>
    public string? NoDirectory => Driver is "quorum" or "blkverify" ? $"Cannot generate a base directory for {Driver} nodes" : _file?.NoDirectory;

    /// <summary>What space the image takes can be asked.</summary>
    public bool TellsSize => !IsNamedFilter && (_file is null || _file.TellsSize) && _others.TrueForAll(static other => other.TellsSize);

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
        foreach (string name in top.NodeNames())
        {
            if (!names.Add(name))
            {
                throw Invalid($"Duplicate nodes with node-name='{name}'");
            }
        }

        return top;
    }

    /// <summary>The name that info shows for an image of this format: the file's own where that says all.</summary>
    public string DisplayName(string formatName)
    {
        if (HasName && (IsNamedFilter || _significant.Count == 0))
        {
            return Name;
        }

        StringWriter text = new();
        text.Write("json:");
        QemuJson.WriteCompact(text, Describe(formatName));
        return text.ToString();
    }

    /// <summary>What is wrong with the first value that a format's driver refuses, which it does when it knows its image; null for nothing.</summary>
    public ImageException? RefusedValue(string formatName) => _options
        .Where(option => RuntimeOptions.IsOfDriver(formatName, option.Key))
        .Select(static option => Caught(() => RuntimeOptions.Check(option.Key, option.Value))).FirstOrDefault(static complaint => complaint is not null);

    // The first name, in the order of QEMU's dictionaries, that the driver does not know; null for none, and where the driver is still to be found.
    private ImageException? UnknownOption()
    {
        QDict names = [];
        IEnumerable<string> given = IsProtocol || Driver is null ? [] : _options.Keys;
        foreach (string name in given)
        {
            names.Add(name, "");
        }

        return names.Select(option => Caught(() => RuntimeOptions.CheckDriver(Driver, option.Key))).FirstOrDefault(static complaint => complaint is not null);
    }

    /// <summary>For the engine. Secrets come from the command line.</summary>
    public ImageSource ToSource(CommandHost host) => new()
    {
        FileName = FileName,
        Format = IsProtocol ? "raw" : Driver,
        Options = _options.Where(static option => Caught(() => RuntimeOptions.Check(option.Key, option.Value)) is null).ToDictionary(),
        Secret = host.Secrets.Lookup(_options, FileName),
        Container = ContainerOf(host),
        Others = [.. _others.Select(other => other.ToDisk(host))],
        DisplayName = HasName ? null : DisplayName(Driver ?? "raw"),
        DataFile = _dataFile is null ? null : () => _dataFile.ToSource(host),
        NoDirectory = NoDirectory,
        ProbesName = false,
        FollowBacking = !WithoutBacking,
        Guessed = format => _probed = format,
    };

    private ImageSource? ContainerOf(CommandHost host)
    {
        return IsPlain ? null : _file!.ToDisk(host);
    }

    /// <summary>For the engine, as what holds another image's bytes.</summary>
    public ImageSource ToDisk(CommandHost host) => ToSource(host) with { Backing = Backing?.ToSource(host), DisplayName = DisplayName(Driver ?? "raw") };

    // As stated, or as it was found to be.
    private string FormatName => Driver ?? _probed ?? "raw";

    private IEnumerable<string> NodeNames() =>
        [.. _name is null ? Array.Empty<string>() : [_name], .. _file?.NodeNames() ?? [], .. _others.SelectMany(static other => other.NodeNames())];

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

        QDict whole = new() { { "driver", formatName } };
        IEnumerable<BlockNode> children = [_file!, .. _others];
        if (Driver == "quorum")
        {
            whole.Add("children", children.Select(static child => child.Describe(child.FormatName)).ToList<object>());
        }
        else
        {
            foreach ((string name, BlockNode child) in _childNames.Zip(children))
            {
                whole.Add(name, child.Describe(child.FormatName));
            }
        }

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
            StorageProtocol protocol = ProtocolRegistry.FindDriver(Driver)!;
            return name is not null && protocol.TakesFileName
                ? name
                : protocol.NameOf(Driver, given.OwnTexts(static key => key is not ("driver" or "filename") && !RuntimeOptions.IsGeneric(key)));
        }

        if (Driver is null && name is null)
        {
            throw Invalid("Must specify either driver or file");
        }

        // A name that is an option is taken as it is, colons and all; a driver that does not open what it names says so when it comes to that.
        string driver = Driver ?? "file";
        return string.IsNullOrEmpty(name)
            ? throw Invalid($"The '{driver}' block driver requires a file name")
            : driver == "host_device" || ImagePath.HasProtocol(name) || (Driver == "file" && LocalFileLocator.IsDevice(name)) ? $"{driver}:{name}" : name;
    }

    // What the driver calls the images that it stands over.
    private string[] ChildNames(BlockOptions given)
    {
        if (Driver != "quorum")
        {
            return Driver switch
            {
                "blkdebug" => ["image"],
                "blkverify" => ["raw", "test"],
                _ => ["file"],
            };
        }

        string[] numbers = [.. given.Names.Where(static name => name.StartsWith("children.", StringComparison.Ordinal)).Select(static name => name.Split('.')[1]).Distinct()];
        string[] names = [.. Enumerable.Range(0, numbers.Length).Select(static number => number.ToString(CultureInfo.InvariantCulture))];
        return numbers.Except(names).Any()
            ? throw Invalid("Option children is not a valid array")
            : names.Length == 0 ? throw Invalid("Number of provided children must be 1 or more") : [.. names.Select(static name => $"children.{name}")];
    }

    private BlockNode ReadChild(BlockOptions given, string child)
    {
        BlockOptions below = given.Child(child);
        if (given.Text(child) is { } reference)
        {
            throw Invalid(below.IsEmpty
                ? $"Cannot find device='{reference}' nor node-name='{reference}'"
                : "Cannot reference an existing block device with additional options or a new filename");
        }

        if (below.IsEmpty)
        {
            throw Invalid($"A block device must be specified for \"{child}\"");
        }

        // Images of which there are several are probed where nothing states their format.
        bool isProbed = Driver is "quorum" || child == "test";
        return isProbed && below.Text("driver") is null && !below.Has("file") && below.Child("file").IsEmpty
            ? throw Invalid("Must specify either driver or file")
            : new BlockNode(below, below.Text("driver"), isProbed, _isDirect);
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

    private void ReadOptions(BlockOptions given, bool isTop)
    {
        BlockNode[] children = _file is null ? [] : [_file, .. _others];
        FirstComplaint = children.Select(static child => child.FirstComplaint).FirstOrDefault(static complaint => complaint is not null);
        FileComplaint = children.Select(static child => child.FileComplaint ?? child.RefusedValue(child.Driver ?? "raw") ?? child.UnknownOption())
            .FirstOrDefault(static complaint => complaint is not null);
        NeedsDirectCache = Array.Exists(children, static child => child.NeedsDirectCache);
        IsUnlocked = _file is { IsUnlocked: true } || (IsProtocol && given.Text("locking") == "off");
        ReadOnly = _file?.ReadOnly is true ? true : null;
        HasReadOnlyFile = ReadOnly is true && !given.Has("read-only");
        foreach ((string key, object? value) in given.Own(IsProtocol, _childNames))
        {
            if (key is "driver" or "backing" || _childNames.Contains(key))
            {
                continue;
            }

            string text = BlockOptions.TextOf(value);
            if (RuntimeOptions.IsGeneric(key))
            {
                ReadGeneric(key, text);
            }
            else if (IsProtocol)
            {
                FirstComplaint ??= Caught(() => RuntimeOptions.Check(key, text));
                FileComplaint ??= Caught(() => CheckProtocolOption(key));
                _address.Add(key, value ?? "");
            }
            else
            {
                _options[key] = text;
                if (RuntimeOptions.IsSignificant(key))
                {
                    _significant.Add(key, value);
                }
            }
        }

        CheckTogether(given, isTop);
    }

    private void ReadGeneric(string key, string text)
    {
        ImageException? complaint = Caught(() => RuntimeOptions.Check(key, text));
        if (IsProtocol || RuntimeOptions.IsInherited(key))
        {
            FirstComplaint ??= complaint;
        }
        else
        {
            FileComplaint ??= complaint;
        }

        _name = key == "node-name" ? text : _name;
        ReadOnly = key == "read-only" ? ReadOnly is true || RuntimeOptions.IsOn(text) : ReadOnly;
        FallsBackToReading |= key == "auto-read-only" && RuntimeOptions.IsOn(text);
        DetectZeroes = key == "detect-zeroes" ? (text == "off" ? null : text) : DetectZeroes;
        ForcesSharing |= key == "force-share" && RuntimeOptions.IsOn(text);
    }

    private void CheckTogether(BlockOptions given, bool isTop)
    {
        // Only what stands above all else does not unmap unless it is told to; how it is opened may tell it so.
        string? discard = given.Text("discard");
        if (given.Text("detect-zeroes") == "unmap" && (discard is null ? isTop : discard is not ("unmap" or "on")))
        {
            ImageException complaint = Invalid(DetectsWithoutUnmap);
            UnmapComplaint = isTop && discard is null ? complaint : null;
            FileComplaint ??= UnmapComplaint is null ? complaint : null;
        }

        NeedsDirectCache |= IsProtocol && given.Text("aio") == "native" && !_isDirect;

        if (IsProtocol && given.Has("pr-manager"))
        {
            FirstComplaint ??= Invalid($"No persistent reservation manager with id '{given.Text("pr-manager")}'");
        }
    }

    private static ImageException? Caught(Action check)
    {
        try
        {
            check();
            return null;
        }
        catch (ImageException e)
        {
            return e;
        }
    }

    private void CheckProtocolOption(string key)
    {
        string driver = Driver ?? "file";
        IReadOnlyList<string> known = ProtocolRegistry.FindDriver(driver)?.OptionNames ?? [];
        bool isKnown = RuntimeOptions.IsFileDriver(driver)
            ? RuntimeOptions.IsOfFile(key)
            : (key == "filename" && ProtocolRegistry.FindDriver(driver) is not { TakesFileName: false }) || known.Any(name => name == key || (name.EndsWith('.') && key.StartsWith(name, StringComparison.Ordinal)));
        if (!isKnown)
        {
            throw Invalid($"Block protocol '{driver}' doesn't support the option '{key}'");
        }
    }

    private static ImageException Invalid(string message) => new(ImageErrorKind.InvalidArgument, null, message);
}
