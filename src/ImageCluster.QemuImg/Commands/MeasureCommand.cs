using System.Globalization;
using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Operations.Converting;
using ImageCluster.QemuImg.CommandLine;
using ImageCluster.QemuImg.Help;
using ImageCluster.QemuImg.Images;
using ImageCluster.QemuImg.Output;

namespace ImageCluster.QemuImg.Commands;

/// <summary><c>measure</c>: tells how large an image's file will be before it is made.</summary>
internal static class MeasureCommand
{
    public static readonly CommandSpec Spec = new(
        "measure",
        "[--output=ofmt] [-O output_fmt] [-o options] [--size N | [--object objectdef] [--image-opts] [-f fmt] [-l snapshot_param] filename]",
        "Calculate the size of the file of an image that is still to be made, empty or from another image.",
        [
            CommonOptions.Help,
            CommonOptions.ImageOptions,
            CommonOptions.Object,
            CommonOptions.Output,
            new('\0', "size", "N", "size of an empty image's disk"),
            CommonOptions.ForceShare,
            CommonOptions.Format,
            new('l', null, "SNAPSHOT_PARAM", "this snapshot of the source"),
            CommonOptions.CreateOptions,
            CommonOptions.OutputFormat,
        ],
        Run)
    {
        ChecksOutputAtOnce = true,
    };

    private static int Run(CommandHost host, string[] arguments)
    {
        OptionText options = new();
        SnapshotSelector? snapshot = null;
        long? size = null;
        string outputFormat = "raw";
        var command = new CommandArguments(host, Spec);
        bool goOn;
        try
        {
            goOn = command.TryParse(arguments, option =>
            {
                switch (option.Key)
                {
                    case "l": snapshot = SnapshotSelector.Parse(host, option.Argument); break;
                    case "o": options.Add(option.Argument); break;
                    case "O": outputFormat = option.Argument; break;
                    default: size = SizeArgument.Parse(host, "image size", option.Argument); break;
                }
            });
        }
        catch (OptionException e)
        {
            // Of all commands this one leaves the complaint to getopt, and shows its help.
            host.Errors.Write($"{Spec.Name}: {e.OwnWords}\n");
            HelpText.Write(host.Out, Spec);
            return 0;
        }

        if (!goOn)
        {
            return 0;
        }

        bool json = command.ParseOutput();
        string? name = CheckOperands(command, size, snapshot);
        using LayeredDisk? source = name is null
            ? null
            : ImageOpener.Open(host, command.Image(name), new OpenSettings { ForceShare = command.ForceShare });
        IReadOnlyList<ImageBitmap>? bitmaps = source?.Top is IBitmaps { SupportsBitmaps: true } holder ? holder.ListBitmaps() : null;
        LayeredDisk? disk = source is not null && snapshot is not null ? SnapshotSelector.Open(source, snapshot) : source;
        MeasureResult result = Measure(host, outputFormat, options.Text, disk, size, bitmaps);
        Print(host.Out, result, json);
        return 0;
    }

    private static string? CheckOperands(CommandArguments command, long? size, SnapshotSelector? snapshot)
    {
        if (command.Operands.Count > 1)
        {
            throw new CommandException("At most one filename argument is allowed.");
        }

        string? name = command.Operands.Count == 1 ? command.Operands[0] : null;
        if (name is null && (command.ImageOptions || command.Format is not null || snapshot is not null))
        {
            throw new CommandException("--image-opts, -f, and -l require a filename argument.");
        }

        if (name is null && size is null)
        {
            throw new CommandException("Either --size N or one filename must be specified.");
        }

        return name is null || size is null ? name : throw new CommandException("--size N cannot be used together with a filename.");
    }

    private static MeasureResult Measure(
        CommandHost host, string formatName, string? optionText, LayeredDisk? disk, long? size, IReadOnlyList<ImageBitmap>? bitmaps)
    {
        ImageFormat format = FormatRegistry.Find(CreationDrivers.IsProtocol(formatName) ? "raw" : formatName) ?? throw new CommandException($"Unknown file format '{formatName}'");
        if (!format.CanCreate)
        {
            throw new CommandException($"Format driver '{formatName}' does not support image creation");
        }

        CreateOptionSet options = CreationDrivers.IsProtocol(formatName) && formatName != "file" ? CreateOptionSet.OfProtocol(withFile: true) : CreateOptionSet.OfFormatAndFile(format);
        if (optionText is not null)
        {
            try
            {
                options.Parse(optionText, "");
            }
            catch (CommandException e)
            {
                host.Error(e.Message);
                host.Errors.Write(e.Hint);
                throw new CommandException($"Invalid options for file format '{formatName}'");
            }
        }

        if (size is not null)
        {
            options.TrySet("size", size.Value.ToString(CultureInfo.InvariantCulture));
        }

        if (CreationDrivers.IsProtocol(formatName))
        {
            throw new CommandException($"Block driver '{formatName}' does not support size measurement");
        }

        try
        {
            return format.Measure(new MeasureRequest
            {
                VirtualSize = disk?.VirtualSize ?? size!.Value,
                Options = options.Values,
                Source = disk is null ? null : new DiskSource(disk),
                SourceBitmaps = bitmaps,
                Secret = host.Secrets.Lookup(options.Values, formatName),
            }) ?? throw new CommandException($"Block driver '{formatName}' does not support size measurement");
        }
        catch (ImageException e)
        {
            bool isOfSource = e.Corruption != CorruptionSignal.None || (disk is not null && e.Errno != 0);
            throw new CommandException(!isOfSource ? e.Message : $"Unable to get block status: {host.Reason(e)}")
            {
                Hint = ImageOpener.HintText(e),
            };
        }
    }

    private static void Print(TextWriter output, MeasureResult result, bool json)
    {
        if (json)
        {
            QemuJson.Write(output, new QDict
            {
                { "required", result.Required },
                { "fully-allocated", result.FullyAllocated },
                { "bitmaps", result.Bitmaps },
            });
            output.Write('\n');
            return;
        }

        output.Write($"required size: {result.Required}\nfully allocated size: {result.FullyAllocated}\n");
        if (result.Bitmaps is not null)
        {
            output.Write($"bitmaps size: {result.Bitmaps}\n");
        }
    }
}
