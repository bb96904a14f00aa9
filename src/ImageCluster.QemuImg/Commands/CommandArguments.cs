using ImageCluster.Imaging.Storage;
using ImageCluster.QemuImg.CommandLine;
using ImageCluster.QemuImg.Help;
using ImageCluster.QemuImg.Images;

namespace ImageCluster.QemuImg.Commands;

/// <summary>
/// Walks a command's options and takes those that mean the same in every command (<c>-h --object --image-opts -U -q -p -f --output</c>);
/// the rest goes to the command. Problems end the command at the option where they show, as with qemu-img.
/// </summary>
internal sealed class CommandArguments(CommandHost host, CommandSpec command)
{
    public string? Format { get; private set; }

    public bool ImageOptions { get; private set; }

    public bool ForceShare { get; private set; }

    public bool Quiet { get; private set; }

    public bool Progress { get; private set; }

    /// <summary>The argument of <c>--output</c>, not yet looked at; null where it is not given.</summary>
    public string? Output { get; private set; }

    /// <summary>What is left: operands in order.</summary>
    public IReadOnlyList<string> Operands { get; private set; } = [];

    /// <summary>Where getopt ended.</summary>
    public int OperandIndex { get; private set; }

    /// <summary>Takes the options; false where the command has only to end with exit code 0 (help was asked for and printed).</summary>
    /// <param name="arguments">The command's name and what follows.</param>
    /// <param name="take">Takes an option that is the command's own.</param>
    public bool TryParse(string[] arguments, Action<OptionMatch> take)
    {
        var scanner = new OptionScanner(command.Options, arguments);
        while (scanner.Next() is { } option)
        {
            switch (option.Key)
            {
                case "h":
                    HelpText.Write(host.Out, command);
                    return false;
                case "object":
                    if (!Define(option.Argument))
                    {
                        return false;
                    }

                    break;
                case "image-opts": ImageOptions = true; break;
                case "U": ForceShare = true; break;
                case "q": Quiet = true; break;
                case "p": Progress = true; break;
                case "f" when option.Option.IsFormat: Format = option.Argument; break;
                case "output":
                    Output = option.Argument;
                    if (command.ChecksOutputAtOnce)
                    {
                        ParseOutput();
                    }

                    break;
                default: take(option); break;
            }
        }

        Operands = scanner.Operands.ToArray();
        OperandIndex = scanner.Index;
        return true;
    }

    private bool Define(string definition)
    {
        try
        {
            return host.Secrets.TryDefine(definition, host.Out);
        }
        catch (CommandException e) when (e.ExitCode != command.ObjectFailure)
        {
            throw new CommandException(e.Message, command.ObjectFailure) { Hint = e.Hint };
        }
    }

    /// <summary>The image that an operand names, in the format that <c>-f</c> states.</summary>
    public ImageReference Image(string operand, int exitCode = 1) => Image(operand, Format, exitCode);

    /// <summary>The image that an operand names.</summary>
    public ImageReference Image(string operand, string? format, int exitCode = 1)
    {
        if (ImageOptions && format is not null)
        {
            throw new CommandException("--image-opts and --format are mutually exclusive", exitCode);
        }

        return ImageOptions ? ImageReference.FromOptionText(host, operand, exitCode, ForceShare) : ImageReference.FromName(operand, format, exitCode);
    }

    /// <summary>True for JSON.</summary>
    public bool ParseOutput() => Output switch
    {
        null or "human" => false,
        "json" => true,
        _ => throw new CommandException("--output must be used with human or json as argument."),
    };

    /// <summary>The mode that an option names; <paramref name="otherwise"/> where it is not given.</summary>
    public static CacheMode ParseSourceCache(string? name, CacheMode otherwise = CacheMode.Writeback, int exitCode = 1) =>
        name is null ? otherwise : CacheModes.Parse(name) ?? throw new CommandException($"Invalid source cache option: {name}", exitCode);

    /// <inheritdoc cref="ParseSourceCache"/>
    public static CacheMode ParseCache(string? name, CacheMode otherwise) =>
        name is null ? otherwise : CacheModes.Parse(name) ?? throw new CommandException($"Invalid cache option: {name}");
}
