using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Protocols;
using ImageCluster.QemuImg.CommandLine;
using ImageCluster.QemuImg.Output;

namespace ImageCluster.QemuImg.Images;

/// <summary>How a command opens an image.</summary>
internal sealed record OpenSettings
{
    public bool Write { get; init; }

    public CacheMode Cache { get; init; } = CacheMode.Writeback;

    /// <summary><c>-U</c>.</summary>
    public bool ForceShare { get; init; }

    /// <summary>What for, where that is more than <see cref="Write"/> and <see cref="DescribeOnly"/> say.</summary>
    public ImageUse? Use { get; init; }

    /// <summary>Zeros that are written may be unmapped, whatever the options say or leave out.</summary>
    public bool Unmap { get; init; }

    /// <summary><c>-n</c> of bench.</summary>
    public bool NativeAio { get; init; }

    /// <summary>Open the backing files too.</summary>
    public bool FollowBacking { get; init; } = true;

    /// <summary>Metadata only (info).</summary>
    public bool DescribeOnly { get; init; }

    public bool ForCheck { get; init; }

    /// <inheritdoc cref="ChainOptions.WritableBase"/>
    public int? WritableBase { get; init; }

    /// <inheritdoc cref="ChainOptions.BaseGrows"/>
    public bool BaseGrows { get; init; }
}

/// <summary>Opens images for commands; failures are <see cref="CommandException"/>s in qemu-img's words.</summary>
internal static class ImageOpener
{
    public static LayeredDisk Open(CommandHost host, ImageReference image, OpenSettings settings, int exitCode = 1)
    {
        try
        {
            if (image.IsToWarnOfEmptyBacking())
            {
                host.Warning("Use of \"backing\": \"\" is deprecated; use \"backing\": null instead");
            }

            CheckBeforeOpening(host, image, settings);
            RefuseToWrite(host, image, settings);
            LayeredDisk disk = OpenChain(host, image, settings);
            TellRepairs(host, disk);
            CheckOpened(host, image, settings, disk);
            disk.ZeroDetection = ZeroDetection(image, disk);
            return disk;
        }
        catch (ImageException e)
        {
            throw Failure(image, RefusedBefore(host, image, settings, e) ?? e, exitCode);
        }
    }

    // Values that the driver refuses are refused before it asks for a password or opens what the image stands on.
    private static ImageException? RefusedBefore(CommandHost host, ImageReference image, OpenSettings settings, ImageException failure)
    {
        if ((failure.Kind != ImageErrorKind.Secret && !failure.IsOfBacking) || image.Options.Count == 0 || image.Format is null)
        {
            return null;
        }

        if (image.RefusedValue(image.Format) is { } refused)
        {
            return refused;
        }

        if (image.Format != "qcow2")
        {
            return null;
        }

        try
        {
            using LayeredDisk alone = new ChainOpener(host.Locator).Open(image.FileName, Options(host, image, settings with { Write = false, FollowBacking = false, DescribeOnly = true }));
            Qcow2RuntimeOptions.Check(image.Options, alone.Top);
            return null;
        }
        catch (ImageException e)
        {
            return e;
        }
    }

    // What nobody can write is not opened for writing: that somebody else uses it does not matter.
    private static void RefuseToWrite(CommandHost host, ImageReference image, OpenSettings settings)
    {
        if (!settings.Write || image.ReadOnly is not null && !image.HasReadOnlyFile)
        {
            return;
        }

        if (image.HasReadOnlyFile && image.Format is not (null or "raw"))
        {
            host.Locator.Open(image.FileName, OpenMode.ReadOnly with { Lock = ImageLock.Shared }).Dispose();
            throw IsReadOnly(image);
        }

        ImageFormat? format = image.Format is null ? null : FormatRegistry.Find(image.Format);
        if (format is { CanWrite: false })
        {
            host.Locator.Open(image.FileName, OpenMode.ReadWrite with { Lock = ImageLock.None }).Dispose();
            if (image.FallsBackToReading)
            {
                Open(host, image, settings with { Write = false, Use = ImageUse.Look }).Dispose();
                throw IsReadOnly(image);
            }

            throw new ImageException(ImageErrorKind.ReadOnlyFormat, image.FileName, "Image is read-only");
        }
    }

    private static ImageException IsReadOnly(ImageReference image) => new(ImageErrorKind.InvalidArgument, image.FileName, "Block node is read-only");

    // Where QEMU's driver can write zeros as such.
    private static ZeroMode? ZeroDetection(ImageReference image, LayeredDisk disk) => image.DetectZeroes switch
    {
        null => null,
        _ when disk.Top.FormatName is not ("raw" or "qcow2" or "qed") => null,
        "unmap" => ZeroMode.MayUnmap,
        _ => ZeroMode.KeepAllocated,
    };

    // What is wrong with the image itself is found before what is wrong with the options of its backing file.
    private static LayeredDisk OpenChain(CommandHost host, ImageReference image, OpenSettings settings)
    {
        ChainOpener opener = new(host.Locator);
        try
        {
            ChainOptions options = Options(host, image, settings);
            return opener.Open(image.FileName, settings.Write ? options with { Guessed = format => WarnOfGuess(host, image, format.Name) } : options);
        }
        catch (ImageException) when (image.Backing is not null && settings.FollowBacking)
        {
            opener.Open(image.FileName, Options(host, image, settings with { FollowBacking = false })).Dispose();
            throw;
        }
    }

    /// <summary>The engine's options for opening an image as a command asks.</summary>
    public static ChainOptions Options(CommandHost host, ImageReference image, OpenSettings settings)
    {
        ImageSource source = image.ToSource(host);
        return new ChainOptions
        {
            Format = source.Format,
            Mode = new OpenMode
            {
                Write = Writes(image, settings),
                Cache = settings.Cache,
                NativeAio = settings.NativeAio || image.NeedsDirectCache,
                Lock = settings.ForceShare || image.ForcesSharing ? ImageLock.Shared : ImageLock.Default,
                Use = settings.Use ?? (settings.DescribeOnly ? ImageUse.Look : settings.Write ? ImageUse.Write : ImageUse.Read),
            },
            DataFile = source.DataFile,
            NoDirectory = source.NoDirectory,
            ProbesName = source.ProbesName,
            IsUnlocked = image.IsUnlocked,
            FollowBacking = settings.FollowBacking && source.FollowBacking,
            References = ProtocolPolicy.All,
            DescribeOnly = settings.DescribeOnly,
            ForCheck = settings.ForCheck,
            WritableBase = settings.WritableBase,
            BaseGrows = settings.BaseGrows,
            Options = source.Options,
            Secret = source.Secret,
            Container = source.Container,
            Others = source.Others,
            Backing = settings.FollowBacking ? image.Backing?.ToSource(host) : null,
            ReadName = (name, format) => ImageReference.ReadBackingName(host, name, format),
            Warn = (message, hint) =>
            {
                host.Warning(message);
                host.Errors.Write(hint);
            },
        };
    }

    /// <summary>What to say where an image cannot be opened.</summary>
    public static CommandException Failure(ImageReference image, ImageException failure, int exitCode = 1) =>
        new($"Could not open '{image.Text}': {failure.Message}", exitCode, failure) { Hint = HintText(failure) };

    /// <summary>The engine's hint as lines.</summary>
    public static string? HintText(ImageException failure) =>
        failure.Hint is null || failure.Hint.EndsWith('\n') ? failure.Hint : failure.Hint + "\n";

    // What QEMU finds when the image is open, in its order: values that the driver refuses, names that it does not know, ways of use.
    private static void CheckOpened(CommandHost host, ImageReference image, OpenSettings settings, LayeredDisk disk)
    {
        try
        {
            string format = disk.Top.FormatName;
            if (settings.Write && image.HasReadOnlyFile && format != "raw")
            {
                throw IsReadOnly(image);
            }

            if (image.RefusedValue(format) is { } complaint)
            {
                throw complaint;
            }

            if (format == "qcow2")
            {
                Qcow2RuntimeOptions.Check(image.Options, disk.Top);
            }

            if (image.Options.TryGetValue("throttle-group", out string? group) && format == "throttle" && !host.Secrets.HasThrottleGroup(group))
            {
                throw new ImageException(ImageErrorKind.InvalidArgument, image.FileName, $"Throttle group '{group}' does not exist");
            }

            // A format opens its backing file before it is asked what it knows.
            if (disk.Layers.Count > 1)
            {
                image.Backing?.Check(disk.Layers[1].FormatName);
            }

            // In the order of QEMU's dictionaries. What is opened alone has no place for options of a backing file.
            QDict names = [];
            IEnumerable<string> ofBacking = settings.FollowBacking ? [] : image.Backing?.FullNames ?? [];
            foreach (string option in image.ProtocolDriver is null ? image.Options.Keys.Concat(ofBacking) : ofBacking)
            {
                names.Add(option, "");
            }

            foreach ((string option, _) in names)
            {
                RuntimeOptions.CheckDriver(format, option);
            }

            if (settings.Write && image.ReadOnly is true)
            {
                throw IsReadOnly(image);
            }
        }
        catch (ImageException)
        {
            disk.Dispose();
            throw;
        }
    }

    private static void TellRepairs(CommandHost host, LayeredDisk disk)
    {
        foreach (string message in disk.Layers.OfType<IRepairedOnOpen>().SelectMany(static layer => layer.RepairMessages))
        {
            host.Errors.Write(message + "\n");
        }
    }

    /// <summary>Says of an image that is to be written that its format was guessed to be raw, where it was.</summary>
    public static void WarnOfGuess(CommandHost host, ImageReference image, IImageLayer top) => WarnOfGuess(host, image, top.FormatName);

    private static void WarnOfGuess(CommandHost host, ImageReference image, string formatName)
    {
        if (image.Format is null && formatName == "raw")
        {
            host.Errors.Write($"WARNING: Image format was not specified for '{ImageReference.PlainName(image.FileName)}' and probing guessed raw.\n");
            host.Errors.Write("         Automatically detecting the format is dangerous for raw images, write operations on block 0 will be restricted.\n");
            host.Errors.Write("         Specify the 'raw' format explicitly to remove the restrictions.\n");
        }
    }

    private static void CheckBeforeOpening(CommandHost host, ImageReference image, OpenSettings settings)
    {
        if (image.FirstComplaint is { } first)
        {
            throw first;
        }

        if ((Writes(image, settings) || (settings.Write && image.HasReadOnlyFile)) && (settings.ForceShare || image.ForcesSharing) && CreationDrivers.ObjectionToName(host, image.FileName) is null)
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, image.FileName, "force-share=on can only be used with read-only images");
        }

        if ((image.FileComplaint ?? (settings.Unmap ? null : image.UnmapComplaint)) is { } second)
        {
            host.Locator.Open(image.FileName, OpenMode.ReadOnly with { Lock = ImageLock.Shared }).Dispose();
            throw second;
        }

        if (!settings.DescribeOnly && image.Options.TryGetValue("data-file", out string? node))
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, image.FileName, $"Cannot find device='{node}' nor node-name='{node}'");
        }
    }

    // Whoever says read-only=off opens for writing even where nothing is to be written.
    private static bool Writes(ImageReference image, OpenSettings settings) => image.ReadOnly switch
    {
        true => false,
        false => true,
        null => settings.Write,
    };
}
