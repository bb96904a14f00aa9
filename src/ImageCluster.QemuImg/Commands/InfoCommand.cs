using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.QemuImg.CommandLine;
using ImageCluster.QemuImg.Images;
using ImageCluster.QemuImg.Output;

namespace ImageCluster.QemuImg.Commands;

/// <summary><c>info</c>: what an image is; with <c>--backing-chain</c> also what each image below it is.</summary>
internal static class InfoCommand
{
    public static readonly CommandSpec Spec = new(
        "info",
        "[--object objectdef] [--image-opts] [-f fmt] [--output=ofmt] [--backing-chain] [-U] filename",
        "Show format, sizes, snapshots and format-specific fields of an image.",
        [
            CommonOptions.Help,
            CommonOptions.LongFormat,
            CommonOptions.Output,
            new('\0', "backing-chain", null, "show the backing files too"),
            CommonOptions.Object,
            CommonOptions.ImageOptions,
            CommonOptions.ForceShare,
        ],
        Run);

    private static int Run(CommandHost host, string[] arguments)
    {
        bool wholeChain = false;
        var command = new CommandArguments(host, Spec);
        if (!command.TryParse(arguments, _ => wholeChain = true))
        {
            return 0;
        }

        if (command.Operands is not [string name])
        {
            throw new UsageException("Expecting one image file name");
        }

        bool json = command.ParseOutput();
        List<ImageInfo> images = Collect(host, command.Image(name), wholeChain, command.ForceShare);
        if (json)
        {
            QemuJson.Write(host.Out, wholeChain ? images.Select(static i => i.ToJson()).ToList<object>() : images[0].ToJson());
            host.Out.Write('\n');
            return 0;
        }

        for (int i = 0; i < images.Count; i++)
        {
            host.Out.Write(i > 0 ? "\n" : "");
            images[i].WriteHuman(host.Out);
        }

        return 0;
    }

    private static List<ImageInfo> Collect(CommandHost host, ImageReference image, bool wholeChain, bool forceShare)
    {
        List<ImageInfo> images = [];
        HashSet<string> seen = [];
        OpenSettings settings = new() { FollowBacking = false, DescribeOnly = true, ForceShare = forceShare };
        for (ImageReference? next = image; next is not null;)
        {
            if (!seen.Add(next.FileName))
            {
                throw new CommandException($"Backing file '{next.FileName}' creates an infinite loop.");
            }

            using LayeredDisk disk = ImageOpener.Open(host, next, settings);
            ImageInfo info;
            try
            {
                info = ImageInfo.Of(host, next, disk);
            }
            catch (ImageException e)
            {
                throw new CommandException(e.Message) { Hint = ImageOpener.HintText(e) };
            }

            images.Add(info);
            next = wholeChain && info.Backing is { } backing ? Below(info, backing) : null;
        }

        return images;
    }

    private static ImageReference Below(ImageInfo overlay, BackingReference backing) => overlay.FullBackingName is { } name
        ? ImageReference.FromName(name, backing.Format)
        : throw new CommandException($"Could not determine absolute backing filename, but backing filename '{backing.Name}' present");
}
