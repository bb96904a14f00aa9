using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Conformance.Interruptions;

/// <summary>The persistent bitmaps of an image: a backup goes by them, so that one must not keep silent about a sector that has changed.</summary>
internal sealed class Marks
{
    private const int Sector = 512;

    private readonly Dictionary<string, Bitmap> _bitmaps = [];

    /// <summary>Those of an image as ours reads it; null where it has none, or cannot be opened.</summary>
    public static Marks? Read(IFileLocator files, string name, View view)
    {
        if (view.Format != "qcow2" || view.Snapshot is not null || view.Password is not null || !files.Exists(name))
        {
            return null;
        }

        try
        {
            using LayeredDisk disk = new ChainOpener(files).Open(name, new ChainOptions { Format = view.Format, FollowBacking = false });
            IBitmaps image = (IBitmaps)disk.Top;
            Marks marks = new();
            foreach (ImageBitmap one in image.ListBitmaps())
            {
                marks._bitmaps.Add(one.Name, new Bitmap(one.IsEnabled, one.IsInconsistent, Sectors(one.IsInconsistent ? [] : image.ReadBitmap(one.Name))));
            }

            return marks;
        }
        catch (ImageException)
        {
            return null;
        }
    }

    /// <summary>
    /// What is wrong with these, "" for nothing: each bitmap must be known not to be sound, or have all marks that it had or all that it will have, and, where it
    /// records, one for each sector that is not as it was. It may be gone only where the command removes it.
    /// </summary>
    /// <param name="before">As they were.</param>
    /// <param name="done">As they are after the undisturbed run.</param>
    /// <param name="bytesBefore">What the guest saw; null where the command changes that by other means than writes, which no bitmap records.</param>
    /// <param name="bytes">What it sees now.</param>
    public string Verdict(Marks before, Marks done, byte[]? bytesBefore, byte[] bytes)
    {
        foreach ((string name, Bitmap old) in before._bitmaps)
        {
            Bitmap? will = done._bitmaps.GetValueOrDefault(name);
            if (!_bitmaps.TryGetValue(name, out Bitmap? now))
            {
                if (will is not null)
                {
                    return $"bitmap {name} is gone";
                }

                continue;
            }

            if (now.IsInconsistent || old.IsInconsistent)
            {
                continue;
            }

            // What it has of sectors beyond the end is nobody's.
            int end = bytes.Length / Sector;
            if (!Has(now, old, end) && (will is null || !Has(now, will, end)))
            {
                return $"bitmap {name} has neither all marks that it had nor all that it will have";
            }

            for (int i = 0; bytesBefore is not null && old.IsEnabled && i < end; i++)
            {
                if (!now.Sectors.Contains(i) && !IsSame(bytesBefore, bytes, i * Sector))
                {
                    return $"bitmap {name} knows nothing of a change at {i * Sector}";
                }
            }
        }

        return "";
    }

    private static bool Has(Bitmap bitmap, Bitmap other, int end) => other.Sectors.All(sector => sector >= end || bitmap.Sectors.Contains(sector));

    private static bool IsSame(ReadOnlySpan<byte> before, ReadOnlySpan<byte> now, int at)
    {
        ReadOnlySpan<byte> sector = now.Slice(at, Sector);
        return at < before.Length ? sector.SequenceEqual(before.Slice(at, Sector)) : !sector.ContainsAnyExcept((byte)0);
    }

    private static HashSet<int> Sectors(IEnumerable<(long Offset, long Length)> ranges) =>
        [.. ranges.SelectMany(static range => Enumerable.Range((int)(range.Offset / Sector), (int)((range.Length + Sector - 1) / Sector)))];

    private sealed record Bitmap(bool IsEnabled, bool IsInconsistent, HashSet<int> Sectors);
}
