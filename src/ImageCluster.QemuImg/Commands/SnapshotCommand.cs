using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.QemuImg.CommandLine;
using ImageCluster.QemuImg.Images;

namespace ImageCluster.QemuImg.Commands;

/// <summary><c>snapshot</c>: lists, takes, applies and removes internal snapshots.</summary>
internal static class SnapshotCommand
{
    private const long TicksPerMicrosecond = 10;
    private const int OperationNotSupported = 95;

    public static readonly CommandSpec Spec = new(
        "snapshot",
        "[--object objectdef] [--image-opts] [-U] [-q] [-l | -a snapshot | -c snapshot | -d snapshot] filename",
        "List, take, apply or remove internal snapshots.",
        [
            CommonOptions.Help,
            new('l', null, null, "list the snapshots"),
            new('a', null, "SNAPSHOT", "go back to this snapshot"),
            new('c', null, "SNAPSHOT", "take a snapshot of this name"),
            new('d', null, "SNAPSHOT", "remove the snapshot of this name"),
            CommonOptions.Quiet,
            CommonOptions.ForceShare,
            CommonOptions.Object,
            CommonOptions.ImageOptions,
        ],
        Run);

    private static int Run(CommandHost host, string[] arguments)
    {
        char action = '\0';
        string snapshot = "";
        var command = new CommandArguments(host, Spec);
        bool goOn = command.TryParse(arguments, option =>
        {
            if (action != '\0')
            {
                throw new UsageException("Cannot mix '-l', '-a', '-c', '-d'");
            }

            (action, snapshot) = (option.Key[0], option.Argument);
        });
        if (!goOn)
        {
            return 0;
        }

        if (command.Operands is not [string name])
        {
            throw new UsageException("Expecting one image file name");
        }

        bool writes = action != 'l';
        OpenSettings settings = new() { Write = writes, ForceShare = command.ForceShare };
        using LayeredDisk disk = ImageOpener.Open(host, command.Image(name, null), settings);
        switch (action)
        {
            case 'a': Apply(host, command.Image(name, null), disk.Top, snapshot); break;
            case 'c': Create(host, disk.Top as ISnapshotEditor, snapshot); break;
            case 'd': Delete(host, disk.Top as ISnapshots, snapshot); break;
            case 'l': List(host, disk); break;
            default: break;
        }

        return 0;
    }

    private static void List(CommandHost host, LayeredDisk disk)
    {
        IReadOnlyList<SnapshotInfo> snapshots = SnapshotInfo.Of(disk.Top);
        if (snapshots.Count > 0)
        {
            SnapshotInfo.WriteList(host.Out, snapshots);
        }
    }

    private static void Create(CommandHost host, ISnapshotEditor? image, string name)
    {
        if (image is null)
        {
            throw new CommandException($"Could not create snapshot '{name}': -95 (Operation not supported)");
        }

        DateTimeOffset now = DateTimeOffset.UtcNow;
        ImageSnapshot snapshot = new()
        {
            Id = "",
            Name = name,
            DateSeconds = now.ToUnixTimeSeconds(),
            DateNanoseconds = (int)(now.Ticks % TimeSpan.TicksPerSecond / TicksPerMicrosecond * 1000),
            InstructionCount = 0,
        };
        try
        {
            image.CreateSnapshot(snapshot);
        }
        catch (ImageException e)
        {
            string reason = e.Errno == 0 ? e.Message : $"-{e.Errno} ({host.Reason(e)})";
            throw new CommandException($"Could not create snapshot '{name}': {reason}") { Hint = ImageOpener.HintText(e) };
        }
    }

    private static void Apply(CommandHost host, ImageReference reference, IImageLayer top, string name)
    {
        if (top is not ISnapshots image)
        {
            // QEMU looks whether what lies below has snapshots, and opens the image once more.
            ImageOpener.WarnOfGuess(host, reference, top);
            throw new CommandException($"Could not apply snapshot '{name}': Block driver does not support snapshots");
        }

        // Where there is no such snapshot, the image may have another reason to refuse it.
        string id = SnapshotSelector.OfWord(name).Find(image.ListSnapshots())?.Id ?? "";
        try
        {
            Editor(image).ApplySnapshot(id);
        }
        catch (ImageException e)
        {
            string reason = e.Errno == 0 ? e.Message : $"Failed to load snapshot: {host.Reason(e)}";
            throw new CommandException($"Could not apply snapshot '{name}': {reason}") { Hint = ImageOpener.HintText(e) };
        }
    }

    private static void Delete(CommandHost host, ISnapshots? image, string name)
    {
        // By name only: an id is not a name here.
        ImageSnapshot found = image?.ListSnapshots().FirstOrDefault(s => s.Name == name)
            ?? throw new CommandException($"Could not delete snapshot '{name}': snapshot not found");
        try
        {
            Editor(image!).DeleteSnapshot(found.Id);
        }
        catch (ImageException e)
        {
            string reason = e.Errno == OperationNotSupported ? host.Reason(e) : host.Words(e);
            throw new CommandException($"Could not delete snapshot '{name}': {reason}") { Hint = ImageOpener.HintText(e) };
        }
    }

    private static ISnapshotEditor Editor(ISnapshots image) =>
        image as ISnapshotEditor ?? throw new ImageException(ImageErrorKind.Unsupported, null, "Operation not supported");
}
