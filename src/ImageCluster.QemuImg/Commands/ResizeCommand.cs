using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Operations;
using ImageCluster.Imaging.Storage;
using ImageCluster.QemuImg.CommandLine;
using ImageCluster.QemuImg.Images;

namespace ImageCluster.QemuImg.Commands;

/// <summary><c>resize</c>: changes the size of the guest's disk.</summary>
internal static class ResizeCommand
{
    public static readonly CommandSpec Spec = new(
        "resize",
        "[--object objectdef] [--image-opts] [-f fmt] [--preallocation=prealloc] [-q] [--shrink] filename [+ | -]size",
        "Make the guest's disk larger or smaller.",
        [
            CommonOptions.Help,
            CommonOptions.Format,
            CommonOptions.Quiet,
            CommonOptions.Object,
            CommonOptions.ImageOptions,
            new('\0', "preallocation", "PREALLOC", "how what is added is allocated") { Values = ["off", "metadata", "falloc", "full"] },
            new('\0', "shrink", null, "allow the disk to become smaller"),
        ],
        Run)
    {
        LastArgumentIsOperand = true,
    };

    private static int Run(CommandHost host, string[] arguments)
    {
        // The size is taken off first: -1G is no option.
        if (arguments.Length < 3)
        {
            if (arguments is [_, "-h" or "--help"])
            {
                new CommandArguments(host, Spec).TryParse(arguments, static _ => { });
                return 0;
            }

            throw new UsageException("Not enough arguments");
        }

        string preallocation = "off";
        bool shrink = false;
        var command = new CommandArguments(host, Spec);
        bool goOn = command.TryParse(arguments[..^1], option =>
        {
            if (option.Key == "shrink")
            {
                shrink = true;
            }
            else
            {
                preallocation = option.Argument is "off" or "metadata" or "falloc" or "full"
                    ? option.Argument
                    : throw new CommandException($"Invalid preallocation mode '{option.Argument}'");
            }
        });
        if (!goOn)
        {
            return 0;
        }

        if (command.Operands is not [string name])
        {
            throw new UsageException("Expecting image file name and size");
        }

        (int direction, long amount) = ParseSize(arguments[^1]);
        using LayeredDisk disk = ImageOpener.Open(host, command.Image(name), new OpenSettings { Write = true, Use = ImageUse.Resize });
        Resize(host, disk, direction, amount, preallocation, shrink);
        if (!command.Quiet)
        {
            host.Out.Write("Image resized.\n");
        }

        return 0;
    }

    private static (int Direction, long Amount) ParseSize(string text)
    {
        int direction = text.StartsWith('+') ? 1 : text.StartsWith('-') ? -1 : 0;
        string number = direction == 0 ? text : text[1..];
        if (number.StartsWith('+'))
        {
            number = number[1..];
        }

        return SizeArgument.TryParse(number, out long amount) switch
        {
            SizeFault.OutOfRange when CreateOptionSet.IsBeyond64Bits(number, takesSuffix: true) => throw new CommandException($"Value '{number}' is out of range for parameter 'size'"),
            SizeFault.None => (direction, amount),
            SizeFault.OutOfRange => (direction, long.MinValue),
            _ => throw new CommandException("Parameter 'size' expects a non-negative number below 2^64") { Hint = CreateOptionSet.SizeHint },
        };
    }

    private static void Resize(CommandHost host, LayeredDisk disk, int direction, long amount, string preallocation, bool shrink)
    {
        long current = disk.VirtualSize;
        Int128 wanted = direction == 0 ? amount : current + (Int128)direction * amount;
        if (wanted <= 0 || wanted > long.MaxValue || amount == long.MinValue)
        {
            throw new CommandException("New image size must be positive");
        }

        if (wanted <= current && preallocation != "off")
        {
            throw new CommandException("Preallocation can only be used for growing images");
        }

        if (wanted < current && !shrink)
        {
            host.Error("Use the --shrink option to perform a shrink operation.");
            host.Warning("Shrinking an image will delete all data beyond the shrunken image's end. " +
                "Before performing such an operation, make sure there is no important data there.");
            throw new CommandException("");
        }

        try
        {
            Resizer.Resize(disk, (long)wanted, preallocation);
        }
        catch (ImageException e)
        {
            throw new CommandException(host.Words(e)) { Hint = ImageOpener.HintText(e) };
        }
    }
}
