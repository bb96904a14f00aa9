using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Filters;
using ImageCluster.Imaging.Formats.Filters.Debugging;
using ImageCluster.Imaging.Formats.Luks;
using ImageCluster.Imaging.Formats.Raw;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Chains;

/// <summary>
/// Opens images with their backing files. The one place that follows a backing reference, and so the one that knows the chain's
/// policy: depth, loops, stated or probed formats, protocols. Which files may be opened at all is the locator's to say
/// (ConfinedLocator).
/// </summary>
public sealed class ChainOpener(IFileLocator locator)
{
    /// <summary>Bytes that probing looks at (QEMU's BLOCK_PROBE_BUF_SIZE).</summary>
    public const int ProbeLength = FormatRegistry.ProbeLength;

    private const int MaxNesting = 16;

    public IFileLocator Locator => locator;

    /// <summary>Opens <paramref name="name"/> and, unless told otherwise, every image that it stands on.</summary>
    public LayeredDisk Open(string name, ChainOptions options) => Open(TopOf(name, options), options, nesting: 0);

    /// <summary>Opens one image file without its parents.</summary>
    public IImageLayer OpenLayer(string name, ChainOptions options) => OpenLayer(TopOf(name, options), options, nesting: 0).Layer;

    private static ImageSource TopOf(string name, ChainOptions options) => new()
    {
        FileName = name,
        Format = options.Format,
        Options = options.Options,
        Secret = options.Secret,
        Container = options.Container,
        Others = options.Others,
        DataFile = options.DataFile,
        NoDirectory = options.NoDirectory,
        ProbesName = options.ProbesName,
        IsUnlocked = options.IsUnlocked,
        FollowBacking = options.FollowBacking,
        Backing = options.Backing,
    };

    private LayeredDisk Open(ImageSource source, ChainOptions options, int nesting)
    {
        List<IImageLayer> layers = [];
        List<IDebugEvents?> events = [];
        HashSet<string> seen = [];
        try
        {
            if (source.Container is null)
            {
                seen.Add(locator.Canonical(source.FileName!));
            }

            (IImageLayer top, IDebugEvents? ofTop) = OpenLayer(source, options.WritableLayers > 0 ? options : options with { Mode = options.Mode with { Write = false } }, nesting);
            layers.Add(top);
            events.Add(ofTop);
            while (source.FollowBacking && (source.Backing is not null || layers[^1].Backing is not null))
            {
                IImageLayer overlay = layers[^1];
                ((IImageLayer layer, IDebugEvents? ofLayer), source) = OpenBacking(overlay, source, layers.Count, seen, options, nesting);
                layers.Add(layer);
                events.Add(ofLayer);
                if (!options.DescribeOnly && !options.ForCheck)
                {
                    (overlay as IVerifiesParent)?.VerifyParent(layer);
                }
            }

            return new LayeredDisk(layers) { Events = events.Exists(static one => one is not null) ? events : null };
        }
        catch
        {
            layers.ForEach(layer => layer.Dispose());
            throw;
        }
    }

    private (IImageLayer Layer, IDebugEvents? Events) OpenLayer(ImageSource source, ChainOptions options, int nesting)
    {
        string name = source.FileName!;
        ImageFormat? stated = source.Format is { } formatName ? FindFormat(formatName, name) : null;
        (stated as FilterFormat)?.CheckOptions(source.Options, source.Others.Count + 1);

        // Which locks to take depends on the format: what is to be guessed is guessed first.
        bool locksLater = stated is null && source.Container is null && options.Mode.Use != ImageUse.Exclusive;
        OpenMode mode = ModeOf(source, stated, options.Mode);
        IBlockFile file = source.Container is { } container
            ? OpenDisk(container, options, nesting)
            : locator.Open(name, locksLater ? mode with { Lock = ImageLock.None } : mode);
        List<IBlockFile> others = [];
        ImageFormat format;
        try
        {
            format = stated ?? Probe(file, source.ProbesName);
            if (stated is null)
            {
                options.Guessed(format);
                source.Guessed?.Invoke(format.Name);
            }

            if (locksLater && file is LocalFile local)
            {
                local.Lock(ImagePath.ToLocal(name) ?? name, ModeOf(source, format, options.Mode));
            }

            foreach (ImageSource other in source.Others)
            {
                others.Add(OpenDisk(other, options, nesting));
            }
        }
        catch
        {
            file.Dispose();
            others.ForEach(static other => other.Dispose());
            throw;
        }

        IDebugEvents? events = file as IDebugEvents;
        IImageLayer layer = format.Open(new OpenContext
        {
            File = file,
            Others = others,
            OpenData = source.DataFile is { } data ? () => OpenDisk(data(), options with { Mode = options.Mode with { Role = FileRole.Data } }, nesting) : null,
            FileName = name,
            Locator = new ReferenceLocator(locator, options.References),
            Mode = options.Mode,
            Room = options.Mode.Write ? options.Room : null,
            IsProbed = stated is null,
            DescribeOnly = options.DescribeOnly,
            ForCheck = options.ForCheck,
            Secret = source.Secret,
            Options = source.Options,
            Warn = options.Warn,
        });
        return (layer, events);
    }

    // How the image's own file is opened.
    private static OpenMode ModeOf(ImageSource source, ImageFormat? format, OpenMode mode) => mode with
    {
        Lock = source.IsUnlocked ? ImageLock.None : mode.Lock,
        Role = format switch
        {
            // A base that becomes longer is locked like what holds nothing but payload.
            RawFormat => source.Options.ContainsKey("offset") || source.Options.ContainsKey("size") || mode.Role == FileRole.Data ? FileRole.Data : mode.Role == FileRole.Base ? FileRole.Base : FileRole.Raw,
            LuksFormat => FileRole.Raw,
            _ => FileRole.Image,
        },
    };

    private IBlockFile OpenDisk(ImageSource source, ChainOptions options, int nesting)
    {
        if (nesting >= MaxNesting)
        {
            throw new ImageException(ImageErrorKind.Limit, source.FileName, $"Images lie in each other more than {MaxNesting} deep");
        }

        LayeredDisk disk = Open(source, options with { DescribeOnly = false, ForCheck = false, WritableLayers = 1, WritableBase = null, Room = null, Guessed = static _ => { } }, nesting + 1);
        return (disk.Top as FilterLayer)?.OwnFile ?? new LayeredFile(disk, source.DisplayName ?? source.FileName!, options.Mode.Write);
    }

    /// <summary>The format that is surest of the file, by its first bytes and name; raw where no other claims it.</summary>
    /// <param name="file">The file.</param>
    /// <param name="byName">What it is called says something.</param>
    public static ImageFormat Probe(IBlockFile file, bool byName = true)
    {
        Span<byte> buffer = stackalloc byte[ProbeLength];
        buffer.Clear();

        // QEMU reads whole sectors: a shorter file looks as if zeros followed. An empty one is raw, whatever its name says.
        return ReadHead(file, buffer) > 0 ? FormatRegistry.Probe(buffer, byName ? file.Name : "") : FormatRegistry.Find("raw")!;
    }

    /// <summary>The name by which the locator finds what <paramref name="referrer"/> calls <paramref name="reference"/>.</summary>
    public string Resolve(string referrer, string reference) => locator.Combine(referrer, reference);

    private static int ReadHead(IBlockFile file, Span<byte> buffer)
    {
        try
        {
            return file.Read(0, buffer);
        }
        catch (ImageException e)
        {
            string reason = e.Errno != 0 ? Errno.Text(e.Errno) : e.Message;
            throw e.Saying($"Could not read image for determining its format: {reason}");
        }
    }

    private ((IImageLayer Layer, IDebugEvents? Events) Opened, ImageSource Source) OpenBacking(
        IImageLayer overlay, ImageSource described, int depth, HashSet<string> seen, ChainOptions options, int nesting)
    {
        ImageSource? given = described.Backing;
        if (depth >= options.MaxDepth)
        {
            throw new ImageException(ImageErrorKind.Limit, overlay.FileName,
                $"Backing chain is deeper than {options.MaxDepth} images")
            {
                Hint = "Flatten a part of the chain first.",
            };
        }

        if (given is not null && FormatRegistry.Find(overlay.FormatName) is { } format && !format.SupportsBacking && format.Name != "parallels")
        {
            throw new ImageException(ImageErrorKind.Unsupported, overlay.FileName, "Driver doesn't support backing files");
        }

        CheckGuess(overlay, given, options);
        if (given?.FileName is null && overlay.Backing is { } reference)
        {
            // A name that means nothing beside this image is not the backing file's mistake.
            if (described.NoDirectory is { } reason && ImagePath.IsRelative(reference.Name))
            {
                throw new ImageException(ImageErrorKind.InvalidArgument, overlay.FileName, reason);
            }

            locator.Combine(overlay.FileName, reference.Name);
        }

        try
        {
            ImageSource source = BackingSource(overlay, given, options);
            if (source.Container is null && !seen.Add(locator.Canonical(source.FileName!)))
            {
                throw new ImageException(ImageErrorKind.Policy, overlay.FileName, $"Backing file '{source.FileName}' creates an infinite loop.");
            }

            bool write = options.Mode.Write && (depth < options.WritableLayers || depth == options.WritableBase);
            ChainOptions below = options with
            {
                Mode = options.Mode with { Write = write, Role = depth != options.WritableBase ? FileRole.Image : options.BaseGrows ? FileRole.Data : FileRole.Base },
                ForCheck = false,
                Guessed = static _ => { },
            };
            return (OpenLayer(source, below, nesting), source);
        }
        catch (ImageException e) when (!e.IsOfUse)
        {
            throw e.OfBacking();
        }
    }

    private static void CheckGuess(IImageLayer overlay, ImageSource? given, ChainOptions options)
    {
        if (!options.AllowProbedBacking && given?.Format is null && overlay.Backing is { Format: null, Name: var name })
        {
            throw new ImageException(ImageErrorKind.Policy, overlay.FileName,
                $"Backing file '{name}' has no stated format, and guessing is not allowed here")
            {
                Hint = "State it: rebase -u -F FORMAT -b FILE IMAGE.",
            };
        }
    }

    // What was given goes before what the header says, which the policy has to allow.
    private ImageSource BackingSource(IImageLayer overlay, ImageSource? given, ChainOptions options)
    {
        if (given?.FileName is not null)
        {
            return given with { Format = given.Format ?? overlay.Backing?.Format };
        }

        BackingReference backing = overlay.Backing
            ?? throw new ImageException(ImageErrorKind.InvalidArgument, overlay.FileName,
                given?.Format is null ? "Must specify either driver or file" : "A block device must be specified for \"file\"");
        string? stated = given?.Format ?? backing.Format;
        string name = locator.Combine(overlay.FileName, backing.Name);
        if (options.ReadName?.Invoke(name, stated) is { } read)
        {
            return read;
        }

        options.References.Require(name);
        return (given ?? new ImageSource { Secret = options.BackingSecret }) with { FileName = name, Format = stated };
    }

    private static ImageFormat FindFormat(string formatName, string file) => FormatRegistry.Find(formatName) ??
        throw new ImageException(ImageErrorKind.InvalidArgument, file, UnsupportedDrivers.Refusal(formatName) ?? $"Unknown driver '{formatName}'");
}
