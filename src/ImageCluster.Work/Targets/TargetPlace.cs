using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Storage;
using ImageCluster.Work.Roots;

namespace ImageCluster.Work.Targets;

/// <summary>Where a target is written until it is whole, and how it appears under its name: a directory, a device or an export, a store.</summary>
public abstract class TargetPlace : IDisposable
{
    /// <summary>The target's path, or its address.</summary>
    public abstract string FinalPath { get; }

    /// <summary>What the names of the target's other files are relative to.</summary>
    public abstract string FinalDirectory { get; }

    /// <summary>What an earlier run wrote is there.</summary>
    public abstract bool HasUnfinished { get; }

    /// <summary>Where people find what is not finished, for messages; null where that is nowhere.</summary>
    public virtual string? UnfinishedPath => null;

    /// <summary>Space that what is written occupies, in bytes; 0 where that is not known.</summary>
    public virtual long AllocatedBytes => 0;

    /// <summary>By what the target is known for ours once it has its name; null where it is not written, or nothing is noted.</summary>
    public abstract string? Identity { get; }

    /// <summary>What is to be noted before anything is written, because the target has its name before it is read back; null where it has not.</summary>
    public virtual string? Mark => null;

    /// <summary>The names of the target's files lead to where they are written, and later to where they are; all others are <paramref name="inner"/>'s.</summary>
    public abstract IFileLocator Locator(IFileLocator inner);

    /// <summary>True where shards that are filled stay filled: then an interrupted copy can be gone on with.</summary>
    public abstract bool KeepsShards(ImageFormat format);

    /// <summary>Throws away what was written and begins.</summary>
    public abstract void StartAnew();

    /// <summary>Throws away the target's files; all else stays.</summary>
    public abstract void Clear();

    /// <summary>Returns when the names of the target's files are durable.</summary>
    public abstract void Sync();

    /// <summary>Opens the target's own file beside whoever writes to it.</summary>
    public abstract IBlockFile OpenMain(IFileLocator files);

    /// <summary>The target's files are whole and closed: makes it what can be read back.</summary>
    public virtual void Complete(CancellationToken cancel)
    {
    }

    /// <summary>Gives the finished image its name, durably. Called again it goes on.</summary>
    /// <param name="replace">Puts the image in the place of one that is there.</param>
    public abstract void Publish(bool replace);

    /// <summary>Throws away what was written; what is not there is no error.</summary>
    public abstract void Remove();

    public virtual void Dispose() => GC.SuppressFinalize(this);

    /// <summary>The place of a target on this machine's roots.</summary>
    /// <param name="roots">The roots.</param>
    /// <param name="path">The target's path or address (<see cref="RootMap.PathOf"/>).</param>
    /// <param name="owner">See <see cref="StagingArea"/>.</param>
    /// <param name="replaces">What is there may be replaced.</param>
    /// <param name="mark">What a store is to keep with the target's objects; null for none.</param>
    public static TargetPlace Of(RootMap roots, string path, string owner, bool replaces, string? mark) =>
        !RemoteRoot.IsOne(path) ? TargetStanding.IsDevice(path) ? new DevicePlace(path, roots.Files) : new StagingArea(path, owner)
        : TargetStanding.IsStored(path) ? new StorePlace(path, roots.AllFiles, replaces, mark)
        : new DevicePlace(path, roots.AllFiles);
}
