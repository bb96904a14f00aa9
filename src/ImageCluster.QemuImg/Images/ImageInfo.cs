using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;
using ImageCluster.QemuImg.CommandLine;
using ImageCluster.QemuImg.Output;

namespace ImageCluster.QemuImg.Images;

/// <summary>What <c>info</c> says of one image: QAPI's ImageInfo.</summary>
internal sealed class ImageInfo
{
    public required string FileName { get; init; }

    public required string Format { get; init; }

    public required long VirtualSize { get; init; }

    /// <summary>Bytes that the image occupies; null where that cannot be told.</summary>
    public required long? ActualSize { get; init; }

    /// <summary>0 where there are none.</summary>
    public required long ClusterSize { get; init; }

    public required bool IsEncrypted { get; init; }

    public required bool IsDirty { get; init; }

    /// <summary>False where the format has no such flag.</summary>
    public bool TellsDirty { get; init; } = true;

    public BackingReference? Backing { get; init; }

    /// <summary>The backing file's name as it is found from here; null where it cannot be told.</summary>
    public string? FullBackingName { get; init; }

    public IReadOnlyList<SnapshotInfo> Snapshots { get; init; } = [];

    public FormatSpecificInfo? Specific { get; init; }

    /// <summary>Asks an open image.</summary>
    public static ImageInfo Of(CommandHost host, ImageReference image, LayeredDisk disk)
    {
        IImageLayer layer = disk.Top;
        IImageStatus? status = layer as IImageStatus;
        bool isRemote = !image.TellsSize || host.Locator.ProtocolOf(image.FileName) is { TellsSize: false };
        bool isFile = host.Locator.ProtocolOf(image.FileName) is null;
        return new ImageInfo
        {
            FileName = host.Locator.DisplayName(image.DisplayName(layer.FormatName)),
            Format = image.ProtocolDriver ?? layer.FormatName,
            VirtualSize = layer.VirtualSize,
            ActualSize = isRemote ? null : status?.AllocatedBytes,
            ClusterSize = status?.ClusterSize ?? 0,
            IsEncrypted = status?.IsEncrypted ?? false,
            IsDirty = status?.IsDirty ?? false,
            TellsDirty = (status?.TellsDirty ?? true) && !(!isFile && layer.FormatName == "raw"),
            Backing = layer.Backing,
            FullBackingName = layer.Backing is { } backing ? FullName(host, image, backing.Name) : null,
            Snapshots = SnapshotInfo.Of(layer),
            Specific = layer.DescribeSpecific(),
        };
    }

    /// <summary>As QAPI has it.</summary>
    public QDict ToJson()
    {
        QDict info = new()
        {
            { "filename", FileName },
            { "format", Format },
            { "virtual-size", VirtualSize },
            { "actual-size", ActualSize },
            { "cluster-size", ClusterSize > 0 ? ClusterSize : null },
            { "encrypted", IsEncrypted ? true : null },
            { "dirty-flag", TellsDirty ? IsDirty : null },
            { "backing-filename", Backing?.Name },
            { "full-backing-filename", FullBackingName },
            { "backing-filename-format", Backing?.Format },
            { "snapshots", Snapshots.Count > 0 ? Snapshots.Select(static s => s.ToJson()).ToList<object>() : null },
        };
        if (Specific is not null)
        {
            info.Add("format-specific", new QDict { { "type", Specific.Type }, { "data", ToDict(Specific) } });
        }

        return info;
    }

    /// <summary>For people, over several lines.</summary>
    public void WriteHuman(TextWriter output)
    {
        string disk = ActualSize is { } bytes ? SizeText.Of(bytes) : "unavailable";
        output.Write($"image: {FileName}\nfile format: {Format}\nvirtual size: {SizeText.Of(VirtualSize)} ({VirtualSize} bytes)\ndisk size: {disk}\n");
        if (IsEncrypted)
        {
            output.Write("encrypted: yes\n");
        }

        if (ClusterSize > 0)
        {
            output.Write($"cluster_size: {ClusterSize}\n");
        }

        if (IsDirty)
        {
            output.Write("cleanly shut down: no\n");
        }

        if (Backing is not null)
        {
            WriteBacking(output, Backing);
        }

        if (Snapshots.Count > 0)
        {
            SnapshotInfo.WriteList(output, Snapshots);
        }

        if (Specific is not null)
        {
            output.Write("Format specific information:\n");
            HumanDump.Write(output, ToDict(Specific), 1);
        }
    }

    // Null where a name beside this image means nothing.
    private static string? FullName(CommandHost host, ImageReference image, string backing)
    {
        if (image.NoDirectory is not null && ImagePath.IsRelative(backing))
        {
            return null;
        }

        try
        {
            return host.Locator.Combine(image.FileName, backing);
        }
        catch (ImageException) when (host.Locator.ProtocolOf(image.FileName) is not null)
        {
            return null;
        }
    }

    private void WriteBacking(TextWriter output, BackingReference backing)
    {
        output.Write($"backing file: {backing.Name}");
        if (FullBackingName is null)
        {
            output.Write(" (cannot determine actual path)");
        }
        else if (FullBackingName != backing.Name)
        {
            output.Write($" (actual path: {FullBackingName})");
        }

        output.Write('\n');
        if (backing.Format is not null)
        {
            output.Write($"backing file format: {backing.Format}\n");
        }
    }

    private static QDict ToDict(FormatSpecificInfo info)
    {
        QDict dict = [];
        foreach ((string name, object value) in info.Fields)
        {
            dict.Add(name, ToValue(value));
        }

        return dict;
    }

    private static object ToValue(object value) => value switch
    {
        FormatSpecificInfo nested => ToDict(nested),
        string text => text,
        IEnumerable<FormatSpecificInfo> list => list.Select(ToDict).ToList<object>(),
        IEnumerable<string> list => list.ToList<object>(),
        IEnumerable<object> list => list.Select(ToValue).ToList(),
        _ => value,
    };
}
