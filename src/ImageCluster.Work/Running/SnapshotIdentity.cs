using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.Work.Running;

/// <summary>Which internal snapshot is meant, so that a change that was done but not reported is known when it is to be done again.</summary>
internal static class SnapshotIdentity
{
    /// <summary>
    /// The nanoseconds of the date of a snapshot that a job takes: nobody reads that of the date, and they tell whose the snapshot is. (A date has no
    /// other place for it, and a snapshot's name and id are the user's.)
    /// </summary>
    public static int MarkOf(string jobId) =>
        (int)(BinaryPrimitives.ReadUInt32BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes(jobId))) % 1_000_000_000);

    /// <summary>All that tells one snapshot from another, as text.</summary>
    public static string Of(ImageSnapshot snapshot) =>
        string.Create(CultureInfo.InvariantCulture, $"{snapshot.DateSeconds}.{snapshot.DateNanoseconds:000000000}\t{snapshot.Id}\t{snapshot.Name}");

    /// <summary>By its id, or else its name, as QEMU finds it.</summary>
    /// <exception cref="ImageException"><see cref="ImageErrorKind.NotFound"/>; <see cref="ImageErrorKind.Unsupported"/>: the format has none.</exception>
    public static ImageSnapshot Find(LayeredDisk disk, string idOrName)
    {
        IReadOnlyList<ImageSnapshot> snapshots = List(disk);
        return snapshots.FirstOrDefault(snapshot => snapshot.Id == idOrName) ??
            snapshots.FirstOrDefault(snapshot => snapshot.Name == idOrName) ??
            throw NotFound(disk, idOrName);
    }

    /// <summary>A snapshot of that name can be taken.</summary>
    /// <exception cref="ImageException"><see cref="ImageErrorKind.Exists"/>, or as for <see cref="Find"/>.</exception>
    public static void RequireNew(LayeredDisk disk, string name)
    {
        if (name.Length == 0 || List(disk).Any(snapshot => snapshot.Name == name))
        {
            throw new ImageException(ImageErrorKind.Exists, disk.Top.FileName,
                name.Length == 0 ? "A snapshot needs a name" : $"A snapshot '{name}' is there already");
        }
    }

    public static ImageException NotFound(LayeredDisk disk, string idOrName) =>
        new(ImageErrorKind.InvalidArgument, disk.Top.FileName, $"There is no snapshot '{idOrName}'");

    private static IReadOnlyList<ImageSnapshot> List(LayeredDisk disk) => disk.Top is ISnapshots snapshots
        ? snapshots.ListSnapshots()
        : throw new ImageException(ImageErrorKind.Unsupported, disk.Top.FileName, $"Format driver '{disk.Top.FormatName}' does not support internal snapshots");
}
