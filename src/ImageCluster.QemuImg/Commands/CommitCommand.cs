using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Operations.Committing;
using ImageCluster.Imaging.Operations.Converting;
using ImageCluster.Imaging.Storage;
using ImageCluster.QemuImg.CommandLine;
using ImageCluster.QemuImg.Images;
using ImageCluster.QemuImg.Output;

namespace ImageCluster.QemuImg.Commands;

/// <summary><c>commit</c>: writes an overlay's changes into an image that it stands on.</summary>
internal static class CommitCommand
{
    public static readonly CommandSpec Spec = new(
        "commit",
        "[--object objectdef] [--image-opts] [-q] [-f fmt] [-t cache] [-b base] [-r rate_limit] [-d] [-p] filename",
        "Write an overlay's changes into its backing file, or into another image of its chain.",
        [
            CommonOptions.Help,
            CommonOptions.Format,
            CommonOptions.Cache,
            new('b', null, "BASE", "the image of the chain to write into; the overlay is not emptied then") { IsFile = true },
            new('d', null, null, "do not empty the overlay"),
            CommonOptions.Progress,
            CommonOptions.Quiet,
            new('r', null, "RATE_LIMIT", "bytes a second at the most"),
            CommonOptions.Object,
            CommonOptions.ImageOptions,
        ],
        Run);

    private static int Run(CommandHost host, string[] arguments)
    {
        string? baseName = null;
        string? cacheName = null;
        bool keepsTop = false;
        long bytesPerSecond = 0;
        var command = new CommandArguments(host, Spec);
        bool goOn = command.TryParse(arguments, option =>
        {
            switch (option.Key)
            {
                case "t": cacheName = option.Argument; break;
                case "r": bytesPerSecond = SizeArgument.Parse(host, "rate limit", option.Argument); break;
                case "b":
                    baseName = option.Argument;
                    keepsTop = true;
                    break;
                default: keepsTop = true; break;
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

        OpenSettings settings = new() { Write = true, Unmap = true, Cache = CommandArguments.ParseCache(cacheName, CacheMode.Writeback) };
        ImageReference image = command.Image(name);
        bool showsProgress = command.Progress && !command.Quiet;
        (int baseIndex, bool grows) = FindBaseOrRefuse(host, image, baseName, settings, showsProgress);
        using LayeredDisk disk = OpenWithBase(host, image, settings with { BaseGrows = grows }, baseIndex);
        using ProgressMeter progress = new(host.Out, host.Errors, showsProgress, step: 1);
        string topName = host.Locator.DisplayName(image.DisplayName(disk.Top.FormatName));
        Commit(host, disk, topName, baseIndex, !keepsTop, bytesPerSecond, progress);
        if (!command.Quiet)
        {
            progress.End();
            host.Out.Write("Image committed.\n");
        }

        return 0;
    }

    // Where only the base cannot be written, that alone is said.
    private static LayeredDisk OpenWithBase(CommandHost host, ImageReference image, OpenSettings settings, int baseIndex)
    {
        try
        {
            return ImageOpener.Open(host, image, settings with { WritableBase = baseIndex });
        }
        catch (CommandException e) when (e.InnerException is ImageException failure)
        {
            using LayeredDisk readable = ImageOpener.Open(host, image, settings);
            ImageException ofBase = failure is { IsOfBacking: true, InnerException: ImageException inner } ? inner : failure;
            string reason = ofBase.Kind == ImageErrorKind.ReadOnlyFormat
                ? $"Block format '{readable.Layers[baseIndex].FormatName}' used by node '#block1' does not support reopening files"
                : ofBase.Message;
            throw new CommandException(reason) { Hint = e.Hint };
        }
    }

    // What is wrong with opening it for writing is said before what is wrong with the base.
    private static (int Index, bool Grows) FindBaseOrRefuse(CommandHost host, ImageReference image, string? baseName, OpenSettings settings, bool showsProgress)
    {
        try
        {
            using LayeredDisk disk = ImageOpener.Open(host, image, settings with { Write = false });
            int index = FindBase(host, image, baseName, disk);
            return (index, disk.Layers[index].VirtualSize < disk.VirtualSize);
        }
        catch (CommandException)
        {
            ImageOpener.Open(host, image, settings).Dispose();
            new ProgressMeter(host.Out, host.Errors, showsProgress, step: 1).Dispose();
            throw;
        }
    }

    // Which image of the chain to write into. The chain is opened for reading for that: only top and base are then opened for writing.
    private static int FindBase(CommandHost host, ImageReference image, string? baseName, LayeredDisk disk)
    {
        if (baseName is null)
        {
            return disk.Layers.Count > 1 ? 1 : throw new CommandException("Image does not have a backing file");
        }

        IFileLocator locator = host.Locator;
        for (int i = 1; i < disk.Layers.Count; i++)
        {
            if (IsNamed(locator, disk.Layers[i - 1], disk.Layers[i], baseName, isOverridden: i == 1 && image.Backing is not null))
            {
                return i;
            }
        }

        throw new CommandException($"Did not find '{baseName}' in the backing chain of '{image.Text}'");
    }

    // A base is named as an overlay would name it: relative to where the overlay lies, not to where we are.
    private static bool IsNamed(IFileLocator locator, IImageLayer overlay, IImageLayer below, string name, bool isOverridden)
    {
        if (isOverridden || overlay.Backing is not { } backing)
        {
            return below.FileName == name;
        }

        if (ImagePath.HasProtocol(name) || ImagePath.HasProtocol(backing.Name))
        {
            return backing.Name == name || below.FileName == name;
        }

        try
        {
            string full = locator.Combine(overlay.FileName, name);
            return locator.Exists(full) && locator.Canonical(full) == locator.Canonical(below.FileName);
        }
        catch (ImageException)
        {
            return false;
        }
    }

    // Of why the base cannot grow qemu-img keeps no more than the number.
    private static void Grow(CommandHost host, LayeredDisk disk, Committer committer)
    {
        try
        {
            committer.Grow();
        }
        catch (ImageException e)
        {
            disk.NoteFailure();
            string reason = e switch
            {
                { Errno: not 0 } => host.Reason(e),
                { Kind: ImageErrorKind.Unsupported } => "Operation not supported",
                { Kind: ImageErrorKind.InvalidArgument } => "Invalid argument",
                _ => host.Reason(e),
            };
            throw new CommandException($"Block job failed: {reason}") { Hint = ImageOpener.HintText(e) };
        }
    }

    private static void Commit(CommandHost host, LayeredDisk disk, string topName, int baseIndex, bool empties, long bytesPerSecond, ProgressMeter progress)
    {
        using RateLimiter? limiter = bytesPerSecond > 0 ? new RateLimiter(bytesPerSecond) : null;
        long whole = Math.Max(1, disk.VirtualSize);
        long done = 0;
        ConvertOptions options = new()
        {
            Progress = bytes => progress.Report(Interlocked.Add(ref done, bytes), whole),
            Throttle = limiter is null ? null : limiter.Take,
        };
        Committer committer = new(disk, baseIndex, options);
        Grow(host, disk, committer);
        try
        {
            committer.Run(CancellationToken.None);
        }
        catch (ImageException e)
        {
            disk.NoteFailure();
            throw new CommandException($"Block job failed: {host.Reason(e)}") { Hint = ImageOpener.HintText(e) };
        }

        if (empties)
        {
            try
            {
                Committer.EmptyTop(disk);
            }
            catch (ImageException e) when (e.Kind == ImageErrorKind.Unsupported)
            {
                // A format that cannot drop what it holds keeps it: it is what the base has, too.
            }
            catch (ImageException e)
            {
                disk.NoteFailure();
                throw new CommandException($"Failed to empty {topName}: {host.Reason(e)}") { Hint = ImageOpener.HintText(e) };
            }
        }
    }
}
