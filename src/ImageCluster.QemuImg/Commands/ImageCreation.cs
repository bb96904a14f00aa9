using System.Globalization;
using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Protocols;
using ImageCluster.QemuImg.CommandLine;
using ImageCluster.QemuImg.Images;

namespace ImageCluster.QemuImg.Commands;

/// <summary>Makes an empty image the way <c>create</c> does: looks at the backing file, says what it formats, creates.</summary>
internal sealed class ImageCreation(CommandHost host, string fileName, string formatName)
{
    // EFBIG
    private const int FileTooLarge = 27;

    // Rounded up to sectors, what is larger is negative to QEMU.
    private const long LargestSize = long.MaxValue - 511;

    public string? BackingFile { get; init; }

    public string? BackingFormat { get; init; }

    /// <summary>False for <c>-u</c>: the backing file is named, not opened.</summary>
    public bool OpensBacking { get; init; } = true;

    /// <summary>The text of <c>-o</c>.</summary>
    public string? Options { get; init; }

    /// <summary>Bytes; null where it was not given.</summary>
    public long? Size { get; init; }

    public bool Quiet { get; init; }

    public void Create()
    {
        ImageFormat format = FindFormat();
        CreateOptionSet options = CreationDrivers.Options(host, format, formatName, fileName);
        if (Options is not null)
        {
            options.Parse(Options, $"{fileName}: ");
        }

        TakeArguments(options);
        string? backing = options.Get("backing_file");
        if (backing?.Length == 0)
        {
            throw Failure("Expected backing file name, got empty string");
        }

        if (backing == fileName)
        {
            throw Failure("Error: Trying to create an image with the same filename as the backing file");
        }

        string? backingFormat = options.Get("backing_fmt");
        if (!string.IsNullOrEmpty(backing))
        {
            long? found = CheckBacking(backing, backingFormat);
            if (found is not null && options.Get("size") is null)
            {
                options.TrySet("size", found.Value.ToString(CultureInfo.InvariantCulture));
            }
        }

        string? size = options.LacksSize ? null : options.Get("size");
        if (size is null)
        {
            throw Failure("Image creation needs a size parameter");
        }

        if (!Quiet)
        {
            host.Out.Write($"Formatting '{fileName}', fmt={formatName} {options.Describe()}\n");
            host.Out.Flush();
        }

        Create(format, options, long.Parse(size, CultureInfo.InvariantCulture));
    }

    private ImageFormat FindFormat() => CreationDrivers.TryFind(host, formatName, fileName, out ImageFormat? format, out string? objection)
        ? format
        : throw Failure(objection);

    private void TakeArguments(CreateOptionSet options)
    {
        if (Size is not null)
        {
            if (options.Get("size") is not null)
            {
                throw Failure("The image size must be specified only once");
            }

            options.TrySet("size", Size.Value.ToString(CultureInfo.InvariantCulture));
        }

        if (BackingFile is not null && !options.TrySet("backing_file", BackingFile))
        {
            throw Failure($"Backing file not supported for file format '{formatName}'");
        }

        if (BackingFormat is not null && !options.TrySet("backing_fmt", BackingFormat))
        {
            throw Failure($"Backing file format not supported for file format '{formatName}'");
        }
    }

    // The backing file's size, or null where it is not opened.
    private long? CheckBacking(string backing, string? backingFormat)
    {
        if (!OpensBacking)
        {
            return backingFormat is not null ? null : throw Failure("Backing file specified without backing format");
        }

        try
        {
            // Only its size is asked for: that somebody writes to it is no hindrance, nor that its key is not known.
            string name = host.Locator.Combine(fileName, backing);
            ImageReference image = ImageReference.FromBackingName(name, backingFormat);
            using LayeredDisk disk = new ChainOpener(host.Locator).Open(image.FileName, ImageOpener.Options(host, image, new OpenSettings { ForceShare = true, DescribeOnly = true }));
            return backingFormat is not null
                ? disk.VirtualSize
                : throw Failure("Backing file specified without backing format", $"Detected format of {disk.Top.FormatName}.");
        }
        catch (ImageException e)
        {
            throw Failure(e.Message, ImageOpener.HintText(e) + "Could not open backing image.\n");
        }
    }

    private void Create(ImageFormat format, CreateOptionSet options, long size)
    {
        if (options.Get("extent_size_hint") is { } hint && long.Parse(hint, CultureInfo.InvariantCulture) > uint.MaxValue)
        {
            throw Failure("Extent size hint is too large");
        }

        try
        {
            CreateFile(format, options, size);
        }
        catch (ImageException e) when (e.Errno == FileTooLarge)
        {
            string advice = options.Has("cluster_size") ? " (try using a larger cluster size)" : "";
            throw Failure($"The image size is too large for file format '{formatName}'{advice}");
        }
        catch (ImageException e) when (size > LargestSize && e.Kind == ImageErrorKind.Limit && formatName is "raw" or "qcow2")
        {
            throw Failure(formatName == "raw" ? "Could not resize file: Invalid argument" : "Could not resize image: Image size cannot be negative");
        }
        catch (ImageException e)
        {
            throw Failure(e.Message, ImageOpener.HintText(e));
        }
    }

    private void CreateFile(ImageFormat format, CreateOptionSet options, long size)
    {
        try
        {
            CreationDrivers.CheckName(host, formatName, fileName);
            using StagedTarget? staged = host.Locator.Stage(fileName);
            format.Create(new CreateRequest
            {
                FileName = fileName,
                Locator = staged?.Locator ?? host.Locator,
                VirtualSize = size,
                Options = options.Values,
                Mode = OpenMode.ReadWrite with { Use = ImageUse.Resize },
                Secret = host.Secrets.Lookup(options.Values, fileName),
                OpenBacking = name => ImageReference.OpenBackingByName(host, name, options.Get("backing_fmt")),
            });
            staged?.Publish(CancellationToken.None);
        }
        catch (ImageException e) when (CreationDrivers.FirstReason(host, formatName, fileName, e) is var first && first != e)
        {
            throw first;
        }
    }

    private CommandException Failure(string message, string? hint = null) => new($"{fileName}: {message}") { Hint = hint };
}
