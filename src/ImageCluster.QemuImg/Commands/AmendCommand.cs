using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Operations;
using ImageCluster.Imaging.Storage;
using ImageCluster.QemuImg.CommandLine;
using ImageCluster.QemuImg.Images;
using ImageCluster.QemuImg.Output;

namespace ImageCluster.QemuImg.Commands;

/// <summary><c>amend</c>: changes options of an image that is there already.</summary>
internal static class AmendCommand
{
    public static readonly CommandSpec Spec = new(
        "amend",
        "[--object objectdef] [--image-opts] [-p] [-q] [-f fmt] [-t cache] [--force] -o options filename",
        "Change format-specific options of an image.",
        [
            CommonOptions.Help,
            CommonOptions.Object,
            CommonOptions.ImageOptions,
            new('\0', "force", null, "also do what may lose access to the data, such as erasing the last key"),
            new('o', null, "OPTIONS", "what to change, name=value,... (help lists the names)"),
            CommonOptions.Format,
            CommonOptions.Cache,
            CommonOptions.Progress,
            CommonOptions.Quiet,
        ],
        Run);

    private static int Run(CommandHost host, string[] arguments)
    {
        OptionText options = new();
        string? cacheName = null;
        bool force = false;
        var command = new CommandArguments(host, Spec);
        bool goOn = command.TryParse(arguments, option =>
        {
            switch (option.Key)
            {
                case "o": options.Add(option.Argument); break;
                case "t": cacheName = option.Argument; break;
                default: force = true; break;
            }
        });
        if (!goOn)
        {
            return 0;
        }

        if (options.Text is null)
        {
            throw new UsageException("Must specify options (-o)");
        }

        using ProgressMeter progress = new(host.Out, host.Errors, command.Progress && !command.Quiet, step: 1, starts: false);
        if (command.Format is not null && options.AsksForHelp)
        {
            CheckProtocol(command.Format);
            ImageFormat stated = FormatRegistry.Find(command.Format) ?? throw new CommandException($"Unknown file format '{command.Format}'");
            WriteHelp(host.Out, stated);
            return 0;
        }

        if (command.Operands is not [string name])
        {
            throw new CommandException("Expecting one image file name");
        }

        CacheMode cache = CommandArguments.ParseCache(cacheName, CacheMode.Writeback);
        ImageReference image = command.Image(name);
        using LayeredDisk disk = ImageOpener.Open(host, image, new OpenSettings { Write = true, Cache = cache });
        ImageFormat format = FormatRegistry.Find(disk.Top.FormatName)!;
        if (options.AsksForHelp)
        {
            WriteHelp(host.Out, format);
            return 0;
        }

        CheckProtocol(image.ProtocolDriver);

        CreateOptionSet values = Parse(format, options.Text);
        Amend(host, disk, values, force, progress);
        return 0;
    }

    private static void CheckProtocol(string? driver)
    {
        if (driver is not null && CreationDrivers.IsProtocol(driver))
        {
            throw new CommandException($"Format driver '{driver}' does not support option amendment");
        }
    }

    private static void WriteHelp(TextWriter output, ImageFormat format)
    {
        CheckSupport(format);
        output.Write($"Amend options for '{format.Name}':\n");
        new CreateOptionSet(format.AmendOptions).WriteHelp(output);
    }

    private static void CheckSupport(ImageFormat format)
    {
        if (format.AmendOptions.Count == 0)
        {
            throw new CommandException($"Format driver '{format.Name}' does not support option amendment");
        }
    }

    private static CreateOptionSet Parse(ImageFormat format, string text)
    {
        CheckSupport(format);
        CreateOptionSet values = new(format.AmendOptions);
        CreateOptionSet ofCreate = CreateOptionSet.OfFormat(format);
        foreach (KeyValueText.Item item in KeyValueText.Split(text))
        {
            if (!values.Has(item.Name) && ofCreate.Has(item.Name))
            {
                throw new CommandException($"Invalid parameter '{item.Name}'") { Hint = "This option is only supported for image creation\n" };
            }
        }

        values.Parse(text, "");
        return values;
    }

    private static void Amend(CommandHost host, LayeredDisk disk, CreateOptionSet values, bool force, ProgressMeter progress)
    {
        if (disk.Top is not IAmendable amendable)
        {
            throw new CommandException($"Format driver '{disk.Top.FormatName}' does not support option amendment");
        }

        progress.Report(0);
        try
        {
            amendable.Amend(new AmendRequest
            {
                Options = values.Values,
                Force = force,
                Resize = size => Resizer.Resize(disk, values.IsNegative("size") ? throw new CommandException("Image size cannot be negative") : size, "off"),
                Secret = host.Secrets.Lookup(values.Values, disk.Top.FileName),
                Progress = progress.Report,
            });
        }
        catch (ImageException e)
        {
            throw new CommandException(host.Words(e)) { Hint = ImageOpener.HintText(e) };
        }
        finally
        {
            progress.Report(100);
        }
    }
}
