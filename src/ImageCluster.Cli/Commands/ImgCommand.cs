using System.CommandLine;
using System.Text;
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

    public static int Run(string[] arguments)
    {
        // Buffered in full unless somebody watches: map prints a line for each extent.
        using StreamWriter output = Writer(Console.OpenStandardOutput(), autoFlush: !Console.IsOutputRedirected);
        using StreamWriter errors = Writer(Console.OpenStandardError(), autoFlush: true);
        return QemuImgProgram.Run("imagecluster img", arguments, output, errors);
    }

    private static StreamWriter Writer(Stream stream, bool autoFlush) =>
        new(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), bufferSize: 4096) { AutoFlush = autoFlush, NewLine = "\n" };
}
