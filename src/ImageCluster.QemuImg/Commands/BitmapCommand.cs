using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.QemuImg.CommandLine;
using ImageCluster.QemuImg.Images;

namespace ImageCluster.QemuImg.Commands;

/// <summary><c>bitmap</c>: changes an image's persistent bitmaps, by one or several actions in a row.</summary>
internal static class BitmapCommand
{
    public static readonly CommandSpec Spec = new(
        "bitmap",
        "(--merge SOURCE | --add | --remove | --clear | --enable | --disable)... [-b source_file [-F source_fmt]] [-g granularity] " +
        "[--object objectdef] [--image-opts | -f fmt] filename bitmap",
        "Change a persistent bitmap of an image; several actions are done in the order given.",
        [
            CommonOptions.Help,
            CommonOptions.Object,
            CommonOptions.ImageOptions,
            new('\0', "add", null, "make the bitmap"),
            new('\0', "remove", null, "remove the bitmap"),
            new('\0', "clear", null, "clear all its bits"),
            new('\0', "enable", null, "have it record writes"),
            new('\0', "disable", null, "have it record no writes"),
            new('\0', "merge", "SOURCE", "set the bits that this bitmap has set"),
            new('b', "source-file", "SOURCE_FILE", "the image that holds the bitmaps to merge") { IsFile = true },
            new('F', "source-format", "SOURCE_FMT", "that image's format") { IsFormat = true },
            new('g', "granularity", "GRANULARITY", "guest bytes that a bit of a new bitmap stands for"),
            CommonOptions.Format,
        ],
        Run);

    private static int Run(CommandHost host, string[] arguments)
    {
        List<OptionMatch> actions = [];
        string? sourceName = null;
        string? sourceFormat = null;
        long granularity = 0;
        var command = new CommandArguments(host, Spec);
        bool goOn = command.TryParse(arguments, option =>
        {
            switch (option.Key)
            {
                case "b": sourceName = option.Argument; break;
                case "F": sourceFormat = option.Argument; break;
                case "g": granularity = SizeArgument.Parse(host, "granularity", option.Argument); break;
                default: actions.Add(option); break;
            }
        });
        if (!goOn)
        {
            return 0;
        }

        Check(actions, granularity, sourceName, sourceFormat);
        if (command.Operands is not [string name, string bitmap])
        {
            throw new CommandException("Expecting filename and bitmap name");
        }

        using LayeredDisk disk = ImageOpener.Open(host, command.Image(name), new OpenSettings { Write = true, FollowBacking = false });
        using LayeredDisk? source = sourceName is null
            ? null
            : ImageOpener.Open(host, ImageReference.FromName(sourceName, sourceFormat), new OpenSettings { FollowBacking = false });
        foreach (OptionMatch action in actions)
        {
            Do(disk, source ?? disk, bitmap, action, granularity);
        }

        disk.Flush();
        return 0;
    }

    private static void Check(List<OptionMatch> actions, long granularity, string? sourceName, string? sourceFormat)
    {
        string? complaint = actions switch
        {
            [] => "Need at least one of --add, --remove, --clear, --enable, --disable, or --merge",
            _ when granularity > 0 && actions.TrueForAll(static a => a.Key != "add") => "granularity only supported with --add",
            _ when sourceFormat is not null && sourceName is null => "-F only supported with -b",
            _ when sourceName is not null && actions.TrueForAll(static a => a.Key != "merge") => "Merge bitmap source file only supported with --merge",
            _ => null,
        };
        if (complaint is not null)
        {
            throw new CommandException(complaint);
        }
    }

    private static void Do(LayeredDisk disk, LayeredDisk source, string bitmap, OptionMatch action, long granularity)
    {
        IImageLayer image = disk.Top;
        try
        {
            switch (action.Key)
            {
                case "add": BitmapActions.Add(image, bitmap, granularity, enabled: true); break;
                case "remove": BitmapActions.Editor(image, bitmap).RemoveBitmap(bitmap); break;
                case "clear": BitmapActions.Editor(image, bitmap).ClearBitmap(bitmap); break;
                case "enable": BitmapActions.Editor(image, bitmap).EnableBitmap(bitmap, enabled: true); break;
                case "disable": BitmapActions.Editor(image, bitmap).EnableBitmap(bitmap, enabled: false); break;
                default: BitmapActions.Merge(image, bitmap, source.Top, action.Argument); break;
            }
        }
        catch (ImageException e)
        {
            throw new CommandException($"Operation {action.Key} on bitmap {bitmap} failed: {e.Message}") { Hint = ImageOpener.HintText(e) };
        }
    }
}
