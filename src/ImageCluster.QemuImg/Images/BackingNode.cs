using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.QemuImg.CommandLine;

namespace ImageCluster.QemuImg.Images;

/// <summary>What the options say of a backing file: a whole node, or only what to add to what the header names.</summary>
internal sealed class BackingNode
{
    private readonly BlockOptions _given;
    private readonly string? _reference;

    public BackingNode(BlockOptions given, string? reference) => (_given, _reference) = (given, reference);

    /// <summary>The options by the names that they were given.</summary>
    public IEnumerable<string> FullNames => _reference is not null ? ["backing"] : _given.Names.Select(static name => $"backing.{name}");

    /// <summary>Refuses an option that the format, known by now, does not have.</summary>
    public void Check(string formatName)
    {
        try
        {
            foreach (string name in OwnOptions())
            {
                RuntimeOptions.CheckDriver(formatName, name);
            }
        }
        catch (ImageException e)
        {
            throw e.OfBacking();
        }
    }

    /// <summary>For the engine.</summary>
    /// <exception cref="ImageException">The options are wrong.</exception>
    public ImageSource ToSource(CommandHost host)
    {
        try
        {
            return Read(host);
        }
        catch (ImageException e)
        {
            throw e.OfBacking();
        }
    }

    private ImageSource Read(CommandHost host)
    {
        if (_reference is not null)
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, null, $"Cannot find device='{_reference}' nor node-name='{_reference}'");
        }

        string? driver = _given.Text("driver");
        if (IsNamedByHeader(_given.Child("file")))
        {
            BlockNode named = BlockNode.Parse(new Dictionary<string, object?>(_given.All) { ["file.filename"] = "backing" }, null);
            return named.FirstComplaint is null && named.FileComplaint is null
                ? named.ToSource(host) with { FileName = null, Format = driver, Backing = named.Backing?.ToSource(host) }
                : throw (named.FirstComplaint ?? named.FileComplaint)!;
        }

        if (!_given.Child("file").IsEmpty || _given.Has("file") || RuntimeOptions.IsFileDriver(driver) || RuntimeOptions.IsFilter(driver))
        {
            BlockNode node = BlockNode.Parse(_given.All, null);
            return node.FirstComplaint is null && node.FileComplaint is null
                ? node.ToSource(host) with { Backing = node.Backing?.ToSource(host) }
                : throw (node.FirstComplaint ?? node.FileComplaint)!;
        }

        if (driver is not null && FormatRegistry.Find(driver) is null)
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, null, UnsupportedDrivers.Refusal(driver) ?? $"Unknown driver '{driver}'");
        }

        foreach ((string name, object? value) in _given.Own(isProtocol: false, "file"))
        {
            if (RuntimeOptions.IsGeneric(name))
            {
                RuntimeOptions.Check(name, BlockOptions.TextOf(value));
            }
        }

        if (_given.Text("detect-zeroes") == "unmap" && _given.Text("discard") is not (null or "unmap" or "on"))
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, null, BlockNode.DetectsWithoutUnmap);
        }

        Dictionary<string, string> options = [];
        foreach (string name in OwnOptions())
        {
            options[name] = BlockOptions.TextOf(_given.All[name]);
        }

        BlockOptions below = _given.Child("backing");
        return new ImageSource
        {
            Format = driver,
            Options = options,
            Secret = host.Secrets.Lookup(options, ""),
            FollowBacking = !(_given.Has("backing") && _given.Text("backing") is null or ""),
            Backing = below.IsEmpty ? null : new BackingNode(below, null).ToSource(host),
        };
    }

    // Options of the file without a name: the name is the one that the image states.
    private static bool IsNamedByHeader(BlockOptions file) =>
        !file.IsEmpty && file.Text("driver") is null or "file" && !file.Has("filename");

    private IEnumerable<string> OwnOptions() => RuntimeOptions.IsFileDriver(_given.Text("driver"))
        ? []
        : _given.Own(isProtocol: false, "file").Select(static option => option.Key).Where(static key => key is not ("driver" or "file" or "backing") && !RuntimeOptions.IsGeneric(key));
}
