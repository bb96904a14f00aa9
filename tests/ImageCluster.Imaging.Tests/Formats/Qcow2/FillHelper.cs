using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Formats.Qcow2;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2;

/// <summary>Fills images from bytes, one run after another.</summary>
internal static class FillHelper
{
    public static void Fill(IFileLocator files, string name, byte[] content, bool compress = false, string options = "")
    {
        using IFillTarget target = new Qcow2Format().CreateFill(Request(files, name, content.Length, compress, options));
        for (long shard = 0; shard * target.ShardLength < target.VirtualSize; shard++)
        {
            if (FillShard(target, shard, content, target.Room) is { } manifest)
            {
                target.Publish(manifest);
            }
        }

        target.Finish();
    }

    public static CreateRequest Request(IFileLocator files, string name, long size, bool compress, string options) => new()
    {
        FileName = name,
        Locator = files,
        VirtualSize = size,
        Compress = compress,

        // Several openings of one target in a test stand for the processes of a cluster, which agree by other means.
        Mode = OpenMode.ReadWrite with { Lock = ImageLock.None },
        Options = options.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(option => option.Split('=', 2)).ToDictionary(o => o[0], o => o[1]),
    };

    /// <summary>Fills one shard from the disk's bytes.</summary>
    public static ShardManifest? FillShard(IFillTarget target, long shard, byte[] content, IRoom room, bool stateZeroes = false)
    {
        using FillRun run = new() { StateZeroes = stateZeroes };
        long end = Math.Min((shard + 1) * target.ShardLength, target.VirtualSize);
        for (long at = shard * target.ShardLength; at < end; at += run.Length)
        {
            run.StartData(at, (int)Math.Min(target.PreferredRunLength, end - at));
            run.Data.Clear();
            content.AsSpan((int)at, (int)Math.Min(run.Length, content.Length - at)).CopyTo(run.Data);
            target.Prepare(run);
            target.Reserve(run, room);
            target.Write(run);
        }

        return target.CloseShard(shard);
    }
}
