using ImageCluster.QemuImg.CommandLine;

namespace ImageCluster.QemuImg.Help;

/// <summary>The page docs/qemu-img-reference.md, made from the command table (a test keeps the file in step).</summary>
internal static class ReferencePage
{
    public static void Write(TextWriter output)
    {
        output.Write("# qemu-img reference\n\n");
        output.Write("Made from the command table in `src/ImageCluster.QemuImg/CommandLine`; do not edit. ");
        output.Write("To make it anew: `UPDATE_DOCS=1 dotnet test tests/ImageCluster.QemuImg.Tests`.\n\n");
        output.Write($"Commands, options, output and exit codes are those of qemu-img {HelpText.CompatibleVersion}; what differs is in [compatibility.md](compatibility.md).\n\n");
        foreach (CommandSpec command in CommandTable.All)
        {
            output.Write($"## {command.Name}\n\n{command.Summary}\n\n```\nqemu-img {command.Name} {command.Synopsis}\n```\n\n| option | meaning |\n|---|---|\n");
            foreach (OptionSpec option in command.Options)
            {
                output.Write($"| `{option.Spelling.Replace("|", "\\|", StringComparison.Ordinal)}` | {option.Help} |\n");
            }

            if (command.ExitCodes.Count > 0)
            {
                output.Write("\nExit codes beside 0 (done) and 1 (failed): ");
                output.Write(string.Join("; ", command.ExitCodes.Select(static e => $"{e.Code}: {e.Meaning}")));
                output.Write(".\n");
            }

            output.Write('\n');
        }

        output.Write("## Words\n\n| word | stands for |\n|---|---|\n");
        foreach ((string name, string meaning) in HelpText.Parameters)
        {
            output.Write($"| `{name}` | {meaning} |\n");
        }
    }
}
