using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Storage.Protocols;
using ImageCluster.QemuImg.CommandLine;

namespace ImageCluster.QemuImg.Help;

/// <summary>What <c>--help</c> and <c>--version</c> print.</summary>
internal static class HelpText
{
    /// <summary>The release of qemu-img whose commands, output and exit codes these are.</summary>
    public const string CompatibleVersion = "7.2.22";

    private const int OptionColumn = 30;

    /// <summary>The first line is what scripts look at: it has the form and number of the release that we stand in for.</summary>
    public static void WriteVersion(TextWriter output)
    {
        Version? own = typeof(HelpText).Assembly.GetName().Version;
        output.Write($"qemu-img version {CompatibleVersion} (ImageCluster {own?.ToString(3)})\n");
        output.Write("Copyright (c) ImageCluster contributors\n");
    }

    /// <summary>Help for the whole program.</summary>
    public static void Write(TextWriter output)
    {
        WriteVersion(output);
        output.Write("usage: qemu-img [standard options] command [command options]\n");
        output.Write("Disk image utility, command for command like QEMU's.\n\n");
        output.Write("    '-h', '--help'       show this help and exit\n");
        output.Write("    '-V', '--version'    show the version and exit\n");
        output.Write("    '-T', '--trace'      taken for compatibility; there are no trace events\n\n");
        output.Write("Command syntax:\n");
        foreach (CommandSpec command in CommandTable.All)
        {
            output.Write($"  {command.Name} {command.Synopsis}\n");
        }

        output.Write("\nCommand parameters:\n");
        foreach ((string name, string meaning) in Parameters)
        {
            WriteItem(output, name, meaning);
        }

        output.Write("\nRun a command with --help for its options.\n");
        output.Write($"\nSupported formats: {string.Join(' ', SupportedFormats())}\n");
    }

    /// <summary>Help for one command.</summary>
    public static void Write(TextWriter output, CommandSpec command)
    {
        output.Write($"usage: qemu-img {command.Name} {command.Synopsis}\n{command.Summary}\n\nOptions:\n");
        foreach (OptionSpec option in command.Options)
        {
            WriteItem(output, option.Spelling, option.Help);
        }

        if (command.ExitCodes.Count > 0)
        {
            output.Write("\nExit codes:\n");
            WriteItem(output, "0", "done");
            foreach ((int code, string meaning) in command.ExitCodes)
            {
                WriteItem(output, code.ToString(), meaning);
            }
        }
    }

    /// <summary>The words of the synopses and what they stand for.</summary>
    internal static IReadOnlyList<(string Name, string Meaning)> Parameters { get; } =
    [
        ("filename", "name of a disk image"),
        ("objectdef", "an object's definition: secret,id=ID and data=TEXT or file=PATH"),
        ("fmt, output_fmt", "name of an image format; found by the image's bytes where it is not given"),
        ("cache, src_cache", "none, writeback, writethrough, directsync or unsafe"),
        ("size", "bytes, or a number with k, M, G, T, P or E (powers of 1024)"),
        ("options", "name=value,... for the format; -o help lists the names"),
        ("snapshot_param", "snapshot.id=ID,snapshot.name=NAME, or one word that is an id or a name"),
        ("ofmt", "human or json"),
    ];

    /// <summary>Formats and local protocols by name.</summary>
    internal static IEnumerable<string> SupportedFormats() =>
        FormatRegistry.DriverNames.Concat(["file", "host_device"]).Concat(ProtocolRegistry.Create(ProtocolSettings.Default).SelectMany(static protocol => protocol.Schemes.Select(protocol.DriverOf)))
            .Distinct().Order(StringComparer.Ordinal);

    private static void WriteItem(TextWriter output, string name, string meaning)
    {
        string head = $"  {name}";
        output.Write(head.Length < OptionColumn ? head.PadRight(OptionColumn) : $"{head}\n{new string(' ', OptionColumn)}");
        output.Write($"{meaning}\n");
    }
}
