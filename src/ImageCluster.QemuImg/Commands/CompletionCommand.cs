using ImageCluster.QemuImg.CommandLine;
using ImageCluster.QemuImg.Help;

namespace ImageCluster.QemuImg.Commands;

/// <summary><c>completion</c>: prints a shell's completion script, made from the command table. qemu-img has no such command.</summary>
internal static class CompletionCommand
{
    public static readonly CommandSpec Spec = new(
        "completion",
        "bash | zsh | fish",
        "Print a completion script for a shell: source <(qemu-img completion bash).",
        [CommonOptions.Help],
        Run);

    private static int Run(CommandHost host, string[] arguments)
    {
        var command = new CommandArguments(host, Spec);
        if (!command.TryParse(arguments, static _ => { }))
        {
            return 0;
        }

        Action<TextWriter> write = command.Operands switch
        {
            ["bash"] => ShellCompletion.WriteBash,
            ["zsh"] => ShellCompletion.WriteZsh,
            ["fish"] => ShellCompletion.WriteFish,
            _ => throw new UsageException("Expecting bash, zsh or fish"),
        };
        write(host.Out);
        return 0;
    }
}
