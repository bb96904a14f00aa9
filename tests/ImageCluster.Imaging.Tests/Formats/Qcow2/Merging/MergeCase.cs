using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Qcow2;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2.Merging;

/// <summary>
/// A random chain: <c>bottom.raw</c>, <c>base.qcow2</c> on it or on nothing, <c>top.qcow2</c> on the base, and <c>other.raw</c>, to which the top can be rebased.
/// </summary>
internal sealed record MergeCase
{
    public required int Seed { get; init; }

    /// <summary>Create options of the image that is merged into.</summary>
    public required string Options { get; init; }

    public required int Size { get; init; }

    public bool OnBottom { get; init; }

    /// <summary>Guest bytes that the base is shorter than the top.</summary>
    public int Shorter { get; init; }

    public bool Snapshots { get; init; }

    /// <summary>Of the file names.</summary>
    public string Prefix { get; init; } = "";

    public string Bottom => $"{Prefix}bottom.raw";

    public string Base => $"{Prefix}base.qcow2";

    public string Top => $"{Prefix}top.qcow2";

    public string Other => $"{Prefix}other.raw";

    public void Make(IFileLocator files)
    {
        Random random = new(Seed);
        MakeRaw(files, Bottom, random);
        MakeRaw(files, Other, random);
        Create(files, Base, Options, Size - Shorter, OnBottom ? "bottom.raw" : null, "raw");
        Change(files, Base, random, Snapshots);
        // Of another cluster size, now and then.
        Create(files, Top, random.Next(4) == 0 ? "cluster_size=2k" : OptionsOfOverlay(), Size, "base.qcow2", "qcow2");
        Change(files, Top, random, Snapshots);
    }

    public static void Create(IFileLocator files, string name, string options, long size, string? backing, string? backingFormat)
    {
        Dictionary<string, string> all = options.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(option => option.Split('='))
            .ToDictionary(parts => parts[0], parts => parts[0] == "data_file" ? Path.Combine(Path.GetDirectoryName(name)!, parts[1]) : parts[1]);
        if (backing is not null)
        {
            all["backing_file"] = backing;
            all["backing_fmt"] = backingFormat!;
        }

        new Qcow2Format().Create(new CreateRequest { FileName = name, Locator = files, VirtualSize = size, Options = all });
    }

    public static byte[] Content(IFileLocator files, string name)
    {
        using LayeredDisk disk = new ChainOpener(files).Open(name, ChainOptions.ReadOnly);
        byte[] content = new byte[disk.VirtualSize];
        disk.Read(0, content);
        return content;
    }

    public static CheckReport Check(IFileLocator files, string name)
    {
        using IImageLayer image = new ChainOpener(files).OpenLayer(name, new ChainOptions { ForCheck = true });
        return ((ICheckable)image).Check(CheckRepair.None);
    }

    // An overlay is neither preallocated nor all in a raw file, and its data file is its own.
    private string OptionsOfOverlay() => Options.Replace("data_file=data.raw", "data_file=top.raw", StringComparison.Ordinal)
        .Replace(",data_file_raw=on", "", StringComparison.Ordinal).Replace(",preallocation=metadata", "", StringComparison.Ordinal);

    private void MakeRaw(IFileLocator files, string name, Random random)
    {
        using IBlockFile file = files.Create(name, Size, OpenMode.ReadWrite);
        for (int i = 0; i < 12; i++)
        {
            byte[] data = new byte[random.Next(1, Size / 8)];
            data.AsSpan().Fill((byte)random.Next(1, 4));
            file.Write(random.Next(Size - data.Length), data);
        }

        file.Flush();
    }

    private static void Change(IFileLocator files, string name, Random random, bool snapshots)
    {
        using LayeredDisk disk = new ChainOpener(files).Open(name, new ChainOptions { Mode = OpenMode.ReadWrite });
        var image = (WritableQcow2Image)disk.Top;
        int size = (int)disk.VirtualSize;
        int cluster = image.Metadata.Layout.ClusterSize;
        bool compresses = !image.Metadata.HasDataFile;
        for (int step = 0; step < 30; step++)
        {
            int start = random.Next(size);
            int length = Math.Min(size - start, random.Next(1, random.Next(4) == 0 ? 5 * cluster : 8000));
            byte[] data = new byte[length];
            data.AsSpan().Fill((byte)random.Next(1, 4));
            switch (random.Next(8))
            {
                case 0 or 1 or 2:
                    disk.Write(start, data);
                    break;
                case 3:
                    disk.WriteZeroes(start, length, (ZeroMode)random.Next(2));
                    break;
                case 4:
                    image.Discard(start, length);
                    break;
                case 5 or 6 when compresses:
                    start = start / cluster * cluster;
                    data = new byte[Math.Min(cluster, size - start)];
                    data.AsSpan().Fill((byte)random.Next(1, 4));
                    image.WriteCompressed(start, data);
                    break;
                case 7 when snapshots && random.Next(3) == 0:
                    image.CreateSnapshot(new ImageSnapshot { Id = "", Name = $"s{step}" });
                    break;
                default:
                    break;
            }
        }

        disk.Flush();
    }
}
