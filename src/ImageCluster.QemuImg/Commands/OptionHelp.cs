using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Storage;
using ImageCluster.QemuImg.CommandLine;
using ImageCluster.QemuImg.Images;

namespace ImageCluster.QemuImg.Commands;

/// <summary><c>-o help</c> of the commands that make images.</summary>
internal static class OptionHelp
{
    /// <summary>Prints a format's options; with a target's name also those of the protocol that it names.</summary>
    public static void Write(TextWriter output, string formatName, string? target)
    {
        ImageFormat format = FormatRegistry.Find(formatName) ?? throw new CommandException($"Unknown file format '{formatName}'");
        if (!format.CanCreate)
        {
            throw new CommandException($"Format driver '{formatName}' does not support image creation");
        }

        if (target is null)
        {
            output.Write($"Supported {formatName} options:\n");
            CreateOptionSet.OfFormat(format).WriteHelp(output);
            output.Write("\nThe protocol level may support further options.\nSpecify the target filename to include those options.\n");
            return;
        }

        if (ImagePath.ToLocal(target) is null)
        {
            throw new CommandException($"Unknown protocol '{ImagePath.ProtocolOf(target)}'");
        }

        output.Write("Supported options:\n");
        CreateOptionSet.OfFormatAndFile(format).WriteHelp(output);
    }
}
