using ImageCluster.Imaging;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Operations;
using ImageCluster.Imaging.Storage;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Jobs.Plans;
using ImageCluster.Work.Secrets;
using ImageCluster.Work.Targets;

namespace ImageCluster.Work.Converting;

/// <summary>
/// A convert's target while it is made: the request that determines its layout, the same for whoever creates, fills or finishes it, and what is
/// done with its files.
/// </summary>
public sealed class ConvertTarget
{
    private readonly TargetPlace _place;
    private readonly IFileLocator _files;

    /// <param name="spec">The job.</param>
    /// <param name="virtualSize">Of the source's disk, bytes.</param>
    /// <param name="place">Where it is written.</param>
    /// <param name="files">Where files come from; the staged ones are found through it as well.</param>
    /// <param name="backingPath">The path of what the target stands on; null for none.</param>
    /// <param name="mode">How the target's files are opened.</param>
    /// <param name="secrets">Passwords of encrypted images.</param>
    public ConvertTarget(ConvertSpec spec, long virtualSize, TargetPlace place, IFileLocator files, string? backingPath, OpenMode mode, SecretStore secrets)
    {
        _place = place;
        _files = files;
        Format = FormatOf(spec, place.FinalPath);
        RequireSize(spec, virtualSize, place.FinalPath);
        Locator = place.Locator(files);
        Request = new CreateRequest
        {
            FileName = place.FinalPath,
            Locator = Locator,
            VirtualSize = virtualSize,
            Options = OptionsOf(spec, place.FinalDirectory, backingPath),
            Compress = spec.Compress,
            Mode = mode with { SendsEarly = true },
            Secret = secrets.For(spec.SecretOf(spec.Target), spec.Options),
        };
    }

    public ImageFormat Format { get; }

    public CreateRequest Request { get; }

    /// <summary>Finds the target's files under the names that they will have.</summary>
    public IFileLocator Locator { get; }

    /// <summary>A target of so many bytes can be opened again: QEMU, and we, open no vmdk without extents.</summary>
    /// <exception cref="ImageException">It cannot.</exception>
    public static void RequireSize(ConvertSpec spec, long virtualSize, string path)
    {
        if (TargetSizeEstimate.Problem(spec.TargetFormat, virtualSize) is { } problem)
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, path, problem);
        }
    }

    /// <exception cref="ImageException">There is no such format.</exception>
    public static ImageFormat FormatOf(ConvertSpec spec, string path) => FormatRegistry.Find(spec.TargetFormat)
        ?? throw new ImageException(ImageErrorKind.Unsupported, path, $"Unknown file format '{spec.TargetFormat}'");

    /// <summary>The create options, and what the target says of the image that it stands on.</summary>
    public static Dictionary<string, string> OptionsOf(ConvertSpec spec, string finalDirectory, string? backingPath)
    {
        var options = new Dictionary<string, string>(spec.Options, StringComparer.Ordinal);
        if (backingPath is not null)
        {
            options["backing_file"] = Path.GetRelativePath(finalDirectory, backingPath);
            options["backing_fmt"] = spec.BackingFormat;
        }

        return options;
    }

    /// <summary>True where one worker must fill the whole target at once, and nothing of it counts until all is done.</summary>
    public static bool IsWhole(IFillTarget target) => !target.ShardsIndependent || target.ShardLength % GuestDigest.LeafLength != 0;

    /// <summary>What <see cref="JobPlanner"/> must know of a target.</summary>
    public static JobGeometry GeometryOf(IFillTarget target) => new(target.VirtualSize, target.ShardLength, !IsWhole(target));

    /// <summary>What the target's record must know of a target that was just created.</summary>
    /// <param name="target">The target.</param>
    /// <param name="shards">As they were planned.</param>
    public static FillLayout LayoutOf(IFillTarget target, long shards) => new()
    {
        Shards = shards,
        RoomStart = !IsWhole(target) && target.ReservesRoom && target.Room is not NoRoom ? target.Room.HighWater : -1,
        RoomAlignment = target.Granularity,
    };

    /// <summary>Makes the target's file anew, durably.</summary>
    public IFillTarget Create()
    {
        _place.StartAnew();
        return CreateFiles();
    }

    /// <summary>As <see cref="Create"/>, in the directory that is there already, whose note stays.</summary>
    public IFillTarget CreateAgain()
    {
        _place.Clear();
        return CreateFiles();
    }

    private IFillTarget CreateFiles()
    {
        IFillTarget target = Format.CreateFill(Request);
        try
        {
            target.Flush();
            _place.Sync();
            return Kept(target);
        }
        catch
        {
            target.Dispose();
            throw;
        }
    }

    /// <summary>Goes on with a file that <see cref="Create"/> made.</summary>
    public IFillTarget Open() => Kept(Format.OpenFill(Request));

    /// <summary>Makes room read as zeros that may have been written to, beside the target's own handle.</summary>
    public void Clean(RoomGrant room)
    {
        using IBlockFile file = _place.OpenMain(_files);
        long length = Math.Min(room.End, file.Length) - room.Start;
        if (length > 0)
        {
            file.WriteZeroes(room.Start, length, ZeroMode.MayUnmap);
        }
    }

    // Where nothing of an interrupted copy could be gone on with, the target is filled in one go.
    private IFillTarget Kept(IFillTarget target) => _place.KeepsShards(Format) ? target : new WholeTarget(target);

    /// <summary>Takes in what was filled and makes the file whole.</summary>
    public static void Finish(IFillTarget target, FillLayout layout, IEnumerable<ShardManifest> manifests)
    {
        long end = 0;
        foreach (ShardManifest manifest in manifests)
        {
            target.Publish(manifest);
            end = manifest.Rooms.Aggregate(end, (highest, room) => Math.Max(highest, room.Start + room.Length));
        }

        if (layout.HandsOutRoom)
        {
            // Behind what shards occupy all is clean, whatever was granted.
            target.Room.SkipTo(Math.Max(end, layout.RoomStart));
        }

        target.Finish();
    }
}
