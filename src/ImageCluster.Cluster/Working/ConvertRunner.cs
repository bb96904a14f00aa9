using ImageCluster.Cluster.Messages;
using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Operations.Converting;
using ImageCluster.Imaging.Storage;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;

namespace ImageCluster.Cluster.Working;

/// <summary>Copies shards of a convert: reads the source's chain, writes payload and tables into granted room of the target's file.</summary>
/// <param name="roots">This node's roots.</param>
public sealed class ConvertRunner(RootMap roots) : IShardRunner
{
    private const long SmallestStep = 1 << 20;
    private const long LargestStep = 32 << 20;

    public ShardResult Run(ShardTask task, long shard, TaskScope scope)
    {
        if (task is not { Spec: ConvertSpec spec, Stage: StageKind.Copy })
        {
            throw new ImageException(ImageErrorKind.Unsupported, null, $"This worker does not know the step {task.Stage} of {task.Spec.Operation}");
        }

        using LayeredDisk disk = OpenSource(spec);
        var place = new TargetPlace(roots, spec.Target, task.JobId);
        var locator = new TargetLocator(place, roots.Locator, scope.Lease);
        ImageFormat format = FormatRegistry.Find(spec.TargetFormat)
            ?? throw new ImageException(ImageErrorKind.Unsupported, place.FinalPath, $"Unknown file format '{spec.TargetFormat}'");
        using IFillTarget target = format.OpenFill(RequestFor(spec, task.Plan.VirtualSize, place, locator));
        return Copy(task, shard, disk, target, scope, room => Clean(locator, place, room));
    }

    /// <summary>The request that determines the target's layout: the same for whoever creates, fills or finishes it.</summary>
    internal CreateRequest RequestFor(ConvertSpec spec, long virtualSize, TargetPlace place, IFileLocator locator)
    {
        var options = new Dictionary<string, string>(spec.Options, StringComparer.Ordinal);
        if (spec.Backing is { } backing)
        {
            options["backing_file"] = Path.GetRelativePath(place.FinalDirectory, roots.PathOf(backing));
            options["backing_fmt"] = spec.BackingFormat;
        }

        return new CreateRequest
        {
            FileName = place.FinalPath,
            Locator = locator,
            VirtualSize = virtualSize,
            Options = options,
            Compress = spec.Compress,
            // Several workers have the file open; who may write where is settled by rooms and leases.
            Mode = OpenMode.ReadWrite with { Lock = ImageLock.None },
        };
    }

    // Read under QEMU's locks: whoever writes to the source meanwhile makes this fail, and the other way round.
    private LayeredDisk OpenSource(ConvertSpec spec)
    {
        string path = roots.PathOf(spec.Source);
        LayeredDisk disk = new ChainOpener(roots.Locator).Open(path, new ChainOptions
        {
            Format = spec.SourceFormat.Length == 0 ? null : spec.SourceFormat,
            AllowProbedBacking = false,
        });
        if (spec.Backing is not null && disk.Layers.Count < 2)
        {
            disk.Dispose();
            throw new ImageException(ImageErrorKind.InvalidArgument, path, $"The target is to stand on {spec.Backing}, but its source stands on nothing");
        }

        return disk;
    }

    private static ShardResult Copy(ShardTask task, long shard, LayeredDisk disk, IFillTarget target, TaskScope scope, Action<RoomGrant> clean)
    {
        // A target whose shards depend on each other is one shard to the job; so is one whose shards are no whole leaves of the digest.
        if (task.Plan.ShardLength != target.ShardLength || !target.ShardsIndependent)
        {
            throw new ImageException(ImageErrorKind.Unsupported, null,
                $"Shards of {task.Plan.ShardLength:#,0} bytes of a target whose own have {target.ShardLength:#,0} cannot be filled by this worker");
        }

        bool keepsChain = ((ConvertSpec)task.Spec).Backing is not null;
        var source = new CountingSource(new DiskSource(disk, keepsChain ? 1 : disk.Layers.Count, keepsChain ? disk.Layers[1].VirtualSize : null));
        ShardManifest? manifest = null;
        IRoom room = task.Layout is { HandsOutRoom: true } layout
            ? scope.Room ??= new GrantedRoom(scope.AskRoom, clean, StepFor(task.Plan.ShardLength, layout.RoomAlignment))
            : target.Room;
        new Converter(source, target, new ConvertOptions
        {
            Threads = 1,
            OutOfOrder = true,
            Throttle = _ => scope.Lease.Require(),
            ShardClosed = (_, closed) => manifest = closed,
        }, room).Run(shard, shard + 1, scope.Cancel);
        target.Flush();
        return new ShardResult { Shard = shard, Manifest = manifest, BytesRead = source.BytesRead, BytesWritten = manifest?.DataBytes ?? 0 };
    }

    // Few requests a shard, and not much left over of the last.
    private static long StepFor(long shardLength, long alignment) => Math.Max(alignment, Math.Clamp(shardLength / 16, SmallestStep, LargestStep));

    private static void Clean(TargetLocator locator, TargetPlace place, RoomGrant room)
    {
        using IBlockFile file = locator.Open(place.FinalPath, OpenMode.ReadWrite with { Lock = ImageLock.None });
        long length = Math.Min(room.End, file.Length) - room.Start;
        if (length > 0)
        {
            file.WriteZeroes(room.Start, length, ZeroMode.MayUnmap);
        }
    }

    /// <summary>Counts what is read as data.</summary>
    private sealed class CountingSource(IConvertSource inner) : IConvertSource
    {
        public long BytesRead { get; private set; }

        public long VirtualSize => inner.VirtualSize;

        public SourceRange Map(long offset, long length) => inner.Map(offset, length);

        public void Read(long offset, Span<byte> buffer)
        {
            inner.Read(offset, buffer);
            BytesRead += buffer.Length;
        }
    }
}
