using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Operations.Rebasing;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Protocols;
using ImageCluster.QemuImg.CommandLine;
using ImageCluster.QemuImg.Images;
using ImageCluster.QemuImg.Output;

namespace ImageCluster.QemuImg.Commands;

/// <summary><c>rebase</c>: puts an overlay onto another backing file, or onto none.</summary>
internal static class RebaseCommand
{
    public static readonly CommandSpec Spec = new(
        "rebase",
        "[--object objectdef] [--image-opts] [-U] [-q] [-f fmt] [-t cache] [-T src_cache] [-p] [-u] -b backing_file [-F backing_fmt] filename",
        "Change an image's backing file; unless -u is given, what a guest sees stays the same.",
        [
            CommonOptions.Help,
            CommonOptions.Format,
            CommonOptions.BackingFormat,
            new('b', null, "BACKING_FILE", "the new backing file; \"\" for none") { IsFile = true },
            new('u', null, null, "change the name only and look at no content"),
            CommonOptions.Progress,
            CommonOptions.Cache,
            CommonOptions.SourceCache,
            CommonOptions.Quiet,
            CommonOptions.ForceShare,
            CommonOptions.Object,
            CommonOptions.ImageOptions,
        ],
        Run);

    private static int Run(CommandHost host, string[] arguments)
    {
        string? backing = null;
        string? backingFormat = null;
        string? cacheName = null;
        string? sourceCacheName = null;
        bool nameOnly = false;
        var command = new CommandArguments(host, Spec);
        bool goOn = command.TryParse(arguments, option =>
        {
            switch (option.Key)
            {
                case "b": backing = option.Argument; break;
                case "F": backingFormat = option.Argument; break;
                case "t": cacheName = option.Argument; break;
                case "T": sourceCacheName = option.Argument; break;
                default: nameOnly = true; break;
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

        if (!nameOnly && backing is null)
        {
            throw new UsageException("Must specify backing file (-b) or use unsafe mode (-u)");
        }

        using ProgressMeter progress = new(host.Out, host.Errors, command.Progress && !command.Quiet, step: 1);
        CacheMode cache = CommandArguments.ParseCache(cacheName, CacheMode.Writeback);
        CacheMode sourceCache = CommandArguments.ParseSourceCache(sourceCacheName);
        OpenSettings settings = new() { Write = true, Cache = cache, FollowBacking = !nameOnly };
        ImageReference image = command.Image(name);
        using LayeredDisk disk = ImageOpener.Open(host, image, settings);
        if (backingFormat is not null && !BackingDrivers.IsBuiltIn(backingFormat))
        {
            throw new CommandException($"Invalid format name: '{backingFormat}'");
        }

        // Held until the image stands on it: nobody is to change it in between.
        using LayeredDisk? newBacking = nameOnly ? null : OpenNewBacking(host, image, disk, backing!, backingFormat, new OpenSettings { Cache = sourceCache, ForceShare = command.ForceShare });
        if (!nameOnly)
        {
            KeepContent(host, disk, newBacking, progress);
        }

        try
        {
            ChangeBacking(disk, backing, backingFormat);
        }
        finally
        {
            // What can be long is over, whatever comes of the rest.
            progress.Report(100);
        }

        return 0;
    }

    // The safe mode: whatever the new backing file would show differently is written into the image first.
    private static void KeepContent(CommandHost host, LayeredDisk disk, LayeredDisk? newBacking, ProgressMeter progress)
    {
        long whole = Math.Max(1, disk.VirtualSize);
        long done = 0;
        RebaseOptions options = new()
        {
            SharedDepth = newBacking is null ? null : FindInChain(host.Locator, disk, newBacking.Top),
            Progress = bytes => progress.Report(Interlocked.Add(ref done, bytes), whole),
        };
        try
        {
            new Rebaser(disk, newBacking, options).Run(CancellationToken.None);
        }
        catch (ImageException e)
        {
            string reason = e.Access == DiskAccess.None ? e.Message : host.Reason(e);
            throw new CommandException(e.Access switch
            {
                DiskAccess.Map => $"error while reading image metadata: {reason}",
                DiskAccess.Read => e.Disk == 0 ? "error while reading from old backing file" : "error while reading from new backing file",
                _ => $"Error while writing to COW image: {reason}",
            })
            {
                Hint = ImageOpener.HintText(e),
            };
        }
    }

    private static LayeredDisk? OpenNewBacking(CommandHost host, ImageReference image, LayeredDisk disk, string backing, string? backingFormat, OpenSettings settings)
    {
        if (backing.Length == 0)
        {
            return null;
        }

        string overlay = image.DisplayName(disk.Top.FormatName);
        if (overlay.StartsWith("json:", StringComparison.Ordinal) && !ImagePath.HasProtocol(backing) && !Path.IsPathRooted(backing))
        {
            throw new CommandException($"Could not resolve backing filename: Cannot use relative backing file names for '{overlay}'");
        }

        try
        {
            ImageReference reference = ImageReference.FromName(host.Locator.Combine(image.FileName, backing), backingFormat);
            if (disk.Layers.Skip(1).FirstOrDefault(layer => host.Locator.Canonical(layer.FileName) == host.Locator.Canonical(reference.FileName)) is { } known)
            {
                // It is open already, whatever format is stated.
                reference = ImageReference.FromName(known.FileName, known.FormatName);
            }

            if (host.Locator.Exists(reference.FileName) && host.Locator.Canonical(reference.FileName) == host.Locator.Canonical(image.FileName))
            {
                throw new ImageException(ImageErrorKind.Policy, image.FileName, $"Backing file '{backing}' creates an infinite loop.");
            }

            return ImageOpener.Open(host, reference, settings);
        }
        catch (CommandException e) when (e.InnerException is ImageException inner)
        {
            throw new CommandException($"Could not open new backing file '{backing}': {inner.Message}") { Hint = e.Hint };
        }
        catch (ImageException e)
        {
            throw new CommandException($"Could not open new backing file '{backing}': {e.Message}") { Hint = ImageOpener.HintText(e) };
        }
        catch (CommandException e) when (e.Message.StartsWith($"Could not open '{backing}': ", StringComparison.Ordinal))
        {
            // Its name already could not be taken apart.
            throw new CommandException(e.Message.Replace("Could not open '", "Could not open new backing file '", StringComparison.Ordinal)) { Hint = e.Hint };
        }
    }

    private static int? FindInChain(ProtocolLocator locator, LayeredDisk disk, IImageLayer image)
    {
        string wanted = locator.Canonical(image.FileName);
        for (int i = 1; i < disk.Layers.Count; i++)
        {
            if (disk.Layers[i].FormatName == image.FormatName && locator.Canonical(disk.Layers[i].FileName) == wanted)
            {
                return i;
            }
        }

        return null;
    }

    private static void ChangeBacking(LayeredDisk disk, string? backing, string? backingFormat)
    {
        bool none = string.IsNullOrEmpty(backing);
        string context = $"Could not change the backing file to '{backing ?? "(null)"}': ";
        if (!none && backingFormat is null)
        {
            throw new CommandException(context + "backing format must be specified");
        }

        if (disk.Top is not IBackingChanger changer)
        {
            throw new CommandException(context + "Operation not supported");
        }

        try
        {
            changer.ChangeBacking(none ? null : new BackingReference(backing!, backingFormat));
            disk.Flush();
        }
        catch (ImageException e)
        {
            throw new CommandException(e.Kind == ImageErrorKind.NoSpace
                ? $"{context}No space left in the file header"
                : context + (ErrorNumbers.TextOf(e.Errno) ?? e.Message))
            {
                Hint = ImageOpener.HintText(e),
            };
        }
    }
}
