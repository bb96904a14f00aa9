using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;
using ImageCluster.QemuImg.CommandLine;
using ImageCluster.QemuImg.Images;

namespace ImageCluster.QemuImg.Commands;

/// <summary>The part of <c>convert</c> that copies the source's persistent bitmaps (<c>--bitmaps</c>).</summary>
internal sealed class BitmapCopy
{
    private readonly CommandHost _host;
    private readonly IImageLayer _source;
    private readonly IReadOnlyList<ImageBitmap> _bitmaps;

    /// <exception cref="CommandException">The source has no bitmaps to copy, or one that is inconsistent and not to be skipped.</exception>
    public BitmapCopy(CommandHost host, IImageLayer source, bool skipBroken)
    {
        if (source is not IBitmaps { SupportsBitmaps: true } holder)
        {
            throw new CommandException("Source lacks bitmap support");
        }

        _host = host;
        _source = source;

        // QEMU goes through them backwards.
        _bitmaps = [.. holder.ListBitmaps().Reverse()];
        if (!skipBroken && _bitmaps.FirstOrDefault(static bitmap => bitmap.IsInconsistent) is { } broken)
        {
            throw new CommandException($"Cannot copy inconsistent bitmap '{broken.Name}'")
            {
                Hint = "Try --skip-broken-bitmaps, or use 'qemu-img bitmap --remove' to delete it\n",
            };
        }
    }

    /// <summary>Copies them into the target, which is closed and has all its data.</summary>
    public void Run(ImageReference target, IFileLocator locator, CacheMode cache)
    {
        using LayeredDisk disk = Open(target, locator, cache);
        foreach (ImageBitmap bitmap in _bitmaps)
        {
            if (bitmap.IsInconsistent)
            {
                _host.Warning($"Skipping inconsistent bitmap '{bitmap.Name}'");
                continue;
            }

            Do($"Failed to create bitmap {bitmap.Name}: ", () => BitmapActions.Add(disk.Top, bitmap.Name, bitmap.Granularity, bitmap.IsEnabled));
            try
            {
                Do($"Failed to populate bitmap {bitmap.Name}: ", () => BitmapActions.Merge(disk.Top, bitmap.Name, _source, bitmap.Name));
            }
            catch (CommandException)
            {
                BitmapActions.Editor(disk.Top, bitmap.Name).RemoveBitmap(bitmap.Name);
                throw;
            }
        }

        disk.Flush();
    }

    private LayeredDisk Open(ImageReference target, IFileLocator locator, CacheMode cache)
    {
        try
        {
            ChainOptions options = ImageOpener.Options(_host, target, new OpenSettings { Write = true, Cache = cache, FollowBacking = false });
            return new ChainOpener(locator).Open(target.FileName, options);
        }
        catch (ImageException e)
        {
            throw ImageOpener.Failure(target, e);
        }
    }

    private static void Do(string context, Action action)
    {
        try
        {
            action();
        }
        catch (ImageException e)
        {
            throw new CommandException(context + e.Message) { Hint = ImageOpener.HintText(e) };
        }
    }
}
