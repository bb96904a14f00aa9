using ImageCluster.Imaging.Formats;
using ImageCluster.QemuImg.CommandLine;
using ImageCluster.QemuImg.Images;

namespace ImageCluster.QemuImg.Commands;

/// <summary><c>-o help</c> of the commands that make images.</summary>
internal static class OptionHelp
{
    /// <summary>Prints a format's options; with a target's name also those of the protocol that it names.</summary>
    public static void Write(CommandHost host, string formatName, string? target)
    {
        if (!CreationDrivers.TryFind(host, formatName, target ?? "", out ImageFormat? format, out string? objection))
        {
            throw new CommandException(objection);
        }

        if (target is null)
        {
            host.Out.Write($"Supported {formatName} options:\n");
            CreationDrivers.Options(format, formatName).WriteHelp(host.Out);
            host.Out.Write("\nThe protocol level may support further options.\nSpecify the target filename to include those options.\n");
            return;
        }

        host.Out.Write("Supported options:\n");
        CreationDrivers.Options(host, format, formatName, target).WriteHelp(host.Out);
    }
}
