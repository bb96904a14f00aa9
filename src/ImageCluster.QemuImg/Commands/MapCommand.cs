using System.Globalization;
using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Operations;
using ImageCluster.QemuImg.CommandLine;
using ImageCluster.QemuImg.Images;

namespace ImageCluster.QemuImg.Commands;

/// <summary><c>map</c>: where the guest's bytes stand, image by image of the chain.</summary>
internal static class MapCommand
{
    public static readonly CommandSpec Spec = new(
        "map",
        "[--object objectdef] [--image-opts] [-f fmt] [--start-offset=offset] [--max-length=len] [--output=ofmt] [-U] filename",
        "Show which ranges of the guest's disk are allocated, and where in which file they stand.",
        [
            CommonOptions.Help,
            CommonOptions.LongFormat,
            CommonOptions.Output,
            CommonOptions.Object,
            CommonOptions.ImageOptions,
            CommonOptions.ForceShare,
            new('s', "start-offset", "OFFSET", "guest offset at which to start"),
            new('l', "max-length", "LEN", "how many bytes to look at"),
        ],
        Run);

    private static int Run(CommandHost host, string[] arguments)
    {
        long start = 0;
        long? most = null;
        var command = new CommandArguments(host, Spec);
        bool goOn = command.TryParse(arguments, option =>
        {
            if (option.Key == "s")
            {
                start = SizeArgument.Parse(host, "start offset", option.Argument);
            }
            else
            {
                most = SizeArgument.Parse(host, "max length", option.Argument);
            }
        });
        if (!goOn)
        {
            return 0;
        }

        if (command.Operands is not [string name])
        {
            throw new UsageException("Expecting one image file name");
        }

        bool json = command.ParseOutput();
        using LayeredDisk disk = ImageOpener.Open(host, command.Image(name), new OpenSettings { ForceShare = command.ForceShare });
        long end = most is null || most > disk.VirtualSize - start ? disk.VirtualSize : start + most.Value;
        try
        {
            Print(host, disk.WithoutFilters, start, end, json);
        }
        catch (ImageException e)
        {
            throw new CommandException($"Could not read file metadata: {host.Reason(e)}");
        }

        return 0;
    }

    private static void Print(CommandHost host, LayeredDisk disk, long start, long end, bool json)
    {
        TextWriter output = host.Out;
        output.Write(json ? "[" : $"{"Offset",-16}{"Length",-16}{"Mapped to",-16}File\n");
        BlockStatus current = new(start, 0, 0, false, false, false, -1, null);
        while (current.End < end)
        {
            BlockStatus next = BlockStatus.At(disk, current.End, end - current.End);
            if (!json && (next.Zero || !next.Data))
            {
                // For people, whatever is not data is one and the same.
                next = next with { Zero = true, Data = false };
            }

            if (current.Length > 0 && current.Joins(next))
            {
                current = current with { Length = current.Length + next.Length };
                continue;
            }

            if (current.Length > 0)
            {
                PrintEntry(host, current, json);
                output.Write(json ? ",\n" : "");
            }

            current = next;
        }

        PrintEntry(host, current, json);
        output.Write(json ? "]\n" : "");
    }

    private static void PrintEntry(CommandHost host, in BlockStatus entry, bool json)
    {
        TextWriter output = host.Out;
        if (json)
        {
            string offset = entry.HostOffset < 0 ? "" : string.Create(CultureInfo.InvariantCulture, $", \"offset\": {entry.HostOffset}");
            output.Write(string.Create(CultureInfo.InvariantCulture,
                $"{{ \"start\": {entry.Start}, \"length\": {entry.Length}, \"depth\": {entry.Depth}, \"present\": {Text(entry.Present)}, \"zero\": {Text(entry.Zero)}, \"data\": {Text(entry.Data)}{offset}}}"));
            return;
        }

        if (entry.Data && entry.HostOffset < 0)
        {
            throw new CommandException("File contains external, encrypted or compressed clusters.");
        }

        if (entry.Data)
        {
            output.Write($"{Hex(entry.Start),-16}{Hex(entry.Length),-16}{Hex(entry.HostOffset),-16}{ImageReference.PlainName(host.Locator.DisplayName(entry.HostFile ?? ""))}\n");
        }
    }

    private static string Text(bool value) => value ? "true" : "false";

    // C's %#x: zero has no prefix.
    private static string Hex(long value) => value == 0 ? "0" : string.Create(CultureInfo.InvariantCulture, $"0x{value:x}");
}
