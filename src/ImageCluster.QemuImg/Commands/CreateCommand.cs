using ImageCluster.QemuImg.CommandLine;

namespace ImageCluster.QemuImg.Commands;

/// <summary><c>create</c>: makes an empty image.</summary>
internal static class CreateCommand
{
    public static readonly CommandSpec Spec = new(
        "create",
        "[--object objectdef] [-q] [-f fmt] [-b backing_file [-F backing_fmt]] [-u] [-o options] filename [size]",
        "Make an empty image, or an overlay over a backing file.",
        [
            CommonOptions.Help,
            CommonOptions.Format,
            CommonOptions.BackingFile,
            CommonOptions.BackingFormat,
            new('u', null, null, "do not open the backing file"),
            CommonOptions.CreateOptions,
            CommonOptions.Quiet,
            CommonOptions.Object,
        ],
        Run);

    private static int Run(CommandHost host, string[] arguments)
    {
        string? backingFile = null;
        string? backingFormat = null;
        bool leaveBackingClosed = false;
        OptionText options = new();
        var command = new CommandArguments(host, Spec);
        bool goOn = command.TryParse(arguments, option =>
        {
            switch (option.Key)
            {
                case "b": backingFile = option.Argument; break;
                case "F": backingFormat = option.Argument; break;
                case "u": leaveBackingClosed = true; break;
                default: options.Add(option.Argument); break;
            }
        });
        if (!goOn)
        {
            return 0;
        }

        IReadOnlyList<string> operands = command.Operands;
        string format = command.Format ?? "raw";
        string? name = operands.Count > 0 ? operands[0] : null;
        if (options.AsksForHelp)
        {
            OptionHelp.Write(host, format, name);
            return 0;
        }

        if (name is null)
        {
            throw new UsageException("Expecting image file name");
        }

        long? size = operands.Count > 1 ? SizeArgument.Parse(host, "image size", operands[1]) : null;
        if (operands.Count > 2)
        {
            throw new UsageException($"Unexpected argument: {operands[2]}");
        }

        ImageCreation creation = new(host, name, format)
        {
            BackingFile = backingFile,
            BackingFormat = backingFormat,
            OpensBacking = !leaveBackingClosed,
            Options = options.Text,
            Size = size,
            Quiet = command.Quiet,
        };
        creation.Create();
        return 0;
    }
}
