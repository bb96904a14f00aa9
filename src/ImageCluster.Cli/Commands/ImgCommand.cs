using System.CommandLine;
using ImageCluster.QemuImg;

namespace ImageCluster.Cli.Commands;

/// <summary><c>imagecluster img ...</c>: the qemu-img command line, which parses its arguments by itself (getopt's rules, not ours).</summary>
internal static class ImgCommand
{
    public const string Name = "img";

    /// <summary>For the help only: <see cref="Run"/> takes over before arguments are parsed.</summary>
    public static Command Create()
    {
        var command = new Command(Name, "The qemu-img command line: create, info, map, check, convert, compare, ... ('imagecluster img --help').")
        {
            TreatUnmatchedTokensAsErrors = false,
        };
        command.SetAction(parsed => Run([.. parsed.UnmatchedTokens]));
        return command;
    }

    public static int Run(string[] arguments) => QemuImgProgram.RunProcess(arguments, "imagecluster img");
}
