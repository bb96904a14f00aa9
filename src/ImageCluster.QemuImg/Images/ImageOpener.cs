using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Protocols;
using ImageCluster.QemuImg.CommandLine;

namespace ImageCluster.QemuImg.Images;

/// <summary>How a command opens an image.</summary>
internal sealed record OpenSettings
{
    public bool Write { get; init; }

    public CacheMode Cache { get; init; } = CacheMode.Writeback;

    /// <summary><c>-U</c>.</summary>
    public bool ForceShare { get; init; }

    /// <summary>Open the backing files too.</summary>
    public bool FollowBacking { get; init; } = true;

    /// <summary>Metadata only (info).</summary>
    public bool DescribeOnly { get; init; }

    public bool ForCheck { get; init; }

    /// <inheritdoc cref="ChainOptions.WritableBase"/>
    public int? WritableBase { get; init; }
}

/// <summary>Opens images for commands; failures are <see cref="CommandException"/>s in qemu-img's words.</summary>
internal static class ImageOpener
{
    public static LayeredDisk Open(CommandHost host, ImageReference image, OpenSettings settings, int exitCode = 1)
    {
        try
        {
            foreach (string warning in image.Warnings)
            {
                host.Errors.Write($"{host.ProgramName}: warning: {warning}\n");
            }

            Check(image, settings);
            LayeredDisk disk = new ChainOpener(host.Locator).Open(image.FileName, Options(host, image, settings));
            CheckProbed(image, disk);
            WarnOfGuess(host, image, settings, disk);
            return disk;
        }
        catch (ImageException e)
        {
            throw Failure(image, e, exitCode);
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
                Write = settings.Write,
                Cache = settings.Cache,
                Lock = settings.ForceShare || image.ForcesSharing ? ImageLock.Shared : ImageLock.Default,
            },
            FollowBacking = settings.FollowBacking && source.FollowBacking,
            References = ProtocolPolicy.All,
            DescribeOnly = settings.DescribeOnly,
            ForCheck = settings.ForCheck,
            WritableBase = settings.WritableBase,
            Options = source.Options,
            Secret = source.Secret,
            Container = source.Container,
            Backing = source.Backing,
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
        new($"Could not open '{image.Text}': {failure.Message}", exitCode) { Hint = HintText(failure) };

    /// <summary>The engine's hint as lines.</summary>
    public static string? HintText(ImageException failure) =>
        failure.Hint is null || failure.Hint.EndsWith('\n') ? failure.Hint : failure.Hint + "\n";

    // Options of a format that was not stated are looked at when it is known.
    private static void CheckProbed(ImageReference image, LayeredDisk disk)
    {
        try
        {
            foreach (string option in image.Format is null ? image.Options.Keys : [])
            {
                RuntimeOptions.CheckDriver(disk.Top.FormatName, option);
            }

            if (disk.Layers.Count > 1)
            {
                image.Backing?.Check(disk.Layers[1].FormatName);
            }
        }
        catch (ImageException)
        {
            disk.Dispose();
            throw;
        }
    }

    private static void WarnOfGuess(CommandHost host, ImageReference image, OpenSettings settings, LayeredDisk disk)
    {
        if (settings.Write && image.Format is null && disk.Top.FormatName == "raw")
        {
            host.Errors.Write($"WARNING: Image format was not specified for '{image.FileName}' and probing guessed raw.\n");
            host.Errors.Write("         Automatically detecting the format is dangerous for raw images, write operations on block 0 will be restricted.\n");
            host.Errors.Write("         Specify the 'raw' format explicitly to remove the restrictions.\n");
        }
    }

    private static void Check(ImageReference image, OpenSettings settings)
    {
        if (settings.Write && (settings.ForceShare || image.ForcesSharing))
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, image.FileName, "force-share=on can only be used with read-only images");
        }

        if (settings.Write && image.IsReadOnly)
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, image.FileName, "Block node is read-only");
        }

        if (!settings.DescribeOnly && image.Options.TryGetValue("data-file", out string? node))
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, image.FileName, $"Cannot find device='{node}' nor node-name='{node}'");
        }

        // What is opened alone has no place for such options.
        if (!settings.FollowBacking && image.Backing is { } backing)
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, image.FileName,
                $"Block format '{image.Format ?? "raw"}' does not support the option '{backing.FirstOption}'");
        }
    }
}
