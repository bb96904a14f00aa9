using System.Globalization;
using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Operations.Converting;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Protocols;
using ImageCluster.QemuImg.CommandLine;
using ImageCluster.QemuImg.Images;

namespace ImageCluster.QemuImg.Commands;

/// <summary><c>dd</c>: copies a range of blocks of an image into a new image, zeros included.</summary>
internal static class DdCommand
{
    public static readonly CommandSpec Spec = new(
        "dd",
        "[--image-opts] [-U] [-f fmt] [-O output_fmt] [bs=block_size] [count=blocks] [skip=blocks] if=input of=output",
        "Copy blocks of an image into a new image.",
        [
            CommonOptions.Help,
            CommonOptions.Format,
            CommonOptions.OutputFormat,
            CommonOptions.Object,
            CommonOptions.ImageOptions,
            CommonOptions.ForceShare,
        ],
        Run);

    private static int Run(CommandHost host, string[] arguments)
    {
        string outputFormat = "raw";
        var command = new CommandArguments(host, Spec);
        if (!command.TryParse(arguments, option => outputFormat = option.Argument))
        {
            return 0;
        }

        Operands operands = Operands.Parse(host, command.Operands);
        if (operands.Input is null || operands.Output is null)
        {
            throw new CommandException("Must specify both input and output files");
        }

        using LayeredDisk source = ImageOpener.Open(host, command.Image(operands.Input), new OpenSettings { ForceShare = command.ForceShare });
        ImageFormat format = FormatRegistry.Find(CreationDrivers.IsProtocol(outputFormat) ? "raw" : outputFormat) ?? throw new CommandException("Unknown file format");
        if (CreationDrivers.ObjectionToName(host, operands.Output) is { } objection)
        {
            throw new CommandException(objection);
        }

        if (!format.CanCreate)
        {
            throw new CommandException($"Format driver '{outputFormat}' does not support image creation");
        }

        RefuseOwnInput(host, source, operands.Output);
        (long start, long length) = operands.Range(source.VirtualSize, out bool beyondEnd);
        if (beyondEnd)
        {
            host.Error($"{operands.Input}: cannot skip to specified offset");
        }

        Copy(host, new DdSource(source, start, length, operands.BlockSize), format, outputFormat, operands.Output);
        return 0;
    }

    // qemu-img empties a raw file that is input and output at once, and then reads zeros of it.
    private static void RefuseOwnInput(CommandHost host, LayeredDisk source, string output)
    {
        if (host.Locator.Exists(output) && source.Layers.Any(layer => host.Locator.Exists(layer.FileName) && host.Locator.Canonical(layer.FileName) == host.Locator.Canonical(output)))
        {
            throw new CommandException($"{output}: error while creating output image: Failed to get \"write\" lock")
            {
                Hint = $"Is another process using the image [{ImageReference.PlainName(output)}]?\n",
            };
        }
    }

    private static void Copy(CommandHost host, DdSource source, ImageFormat format, string formatName, string target)
    {
        try
        {
            Copy(host, source, source.VirtualSize, format, formatName, target);
        }
        catch (ImageException e) when (e.Access == DiskAccess.Read)
        {
            // Several blocks are read at once, and written in any order: what is left behind are those before the one that cannot be read.
            Copy(host, source.Before(e.GuestOffset), source.VirtualSize, format, formatName, target);
            throw new CommandException($"error while reading from input image file: {host.Reason(e)}") { Hint = ImageOpener.HintText(e) };
        }
    }

    private static void Copy(CommandHost host, IConvertSource source, long size, ImageFormat format, string formatName, string target)
    {
        using StagedTarget? staged = host.Locator.Stage(target);
        using IFillTarget fill = Create(host, staged?.Locator ?? host.Locator, format, formatName, target, size);
        try
        {
            // Every block is written, zeros too.
            new Converter(source, fill, new ConvertOptions { SparseSize = 0 }).Run(CancellationToken.None);
            fill.Finish();
            staged?.Publish(CancellationToken.None);
        }
        catch (ImageException e) when (e.Access != DiskAccess.Read)
        {
            string reason = host.Reason(e);
            string what = e.Access == DiskAccess.Write ? "writing to output" : "reading from input";
            throw new CommandException($"error while {what} image file: {reason}") { Hint = ImageOpener.HintText(e) };
        }
    }

    private static IFillTarget Create(CommandHost host, IFileLocator locator, ImageFormat format, string formatName, string target, long size)
    {
        try
        {
            CreationDrivers.CheckName(host, formatName, target);
            return format.CreateFill(new CreateRequest
            {
                FileName = target,
                Locator = locator,
                VirtualSize = size,
                Options = new Dictionary<string, string> { ["size"] = size.ToString(CultureInfo.InvariantCulture) },
                Mode = OpenMode.ReadWrite with { Use = ImageUse.Write },
            });
        }
        catch (ImageException e)
        {
            throw new CommandException($"{target}: error while creating output image: {e.Message}") { Hint = ImageOpener.HintText(e) };
        }
    }

    /// <summary>The operands <c>name=value</c>.</summary>
    private sealed class Operands
    {
        private long _blockSize = 512;
        private long? _count;
        private long _skip;

        public long BlockSize => _blockSize;

        public string? Input { get; private set; }

        public string? Output { get; private set; }

        public static Operands Parse(CommandHost host, IReadOnlyList<string> arguments)
        {
            Operands operands = new();
            foreach (string argument in arguments)
            {
                int equals = argument.IndexOf('=');
                string name = equals < 0 ? argument : argument[..equals];
                string value = argument[(equals + 1)..];
                switch (equals < 0 ? "" : name)
                {
                    case "bs": operands._blockSize = SizeArgument.Parse(host, "bs", value, 1, int.MaxValue); break;
                    case "count": operands._count = SizeArgument.Parse(host, "count", value); break;
                    case "skip": operands._skip = SizeArgument.Parse(host, "skip", value); break;
                    case "if": operands.Input = value; break;
                    case "of": operands.Output = value; break;
                    default: throw new CommandException($"unrecognized operand {name}");
                }
            }

            return operands;
        }

        /// <summary>The part of a disk of that size that is copied; empty where the start lies behind the end.</summary>
        public (long Start, long Length) Range(long size, out bool beyondEnd)
        {
            Int128 start = (Int128)_skip * _blockSize;
            beyondEnd = start > size;
            if (start >= size)
            {
                return (0, 0);
            }

            Int128 rest = size - start;
            Int128 length = _count is { } count ? Int128.Min(rest, (Int128)count * _blockSize) : rest;
            return ((long)start, (long)length);
        }
    }
}
