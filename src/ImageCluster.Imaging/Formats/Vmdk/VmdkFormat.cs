using System.Buffers.Binary;
using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>
/// VMware's virtual disk (VMware Virtual Disk Format 1.1 and 5.0): sparse, flat and split disks, streams. Facts that the
/// specification leaves open are QEMU's (block/vmdk.c).
/// </summary>
public sealed class VmdkFormat : ImageFormat
{
    public override string Name => "vmdk";

    public override bool SupportsBacking => true;

    /// <summary>Streams are always compressed; sparse subformats take <c>-c</c> and store grains as they are, as with QEMU.</summary>
    public override bool SupportsCompression => true;

    /// <summary>100 for a sparse extent's magic, and for text whose first line that is neither comment nor blank is <c>version=</c> 1 to 3.</summary>
    public override int Probe(ReadOnlySpan<byte> head, string fileName)
    {
        if (head.Length < sizeof(uint))
        {
            return 0;
        }

        return BinaryPrimitives.ReadUInt32BigEndian(head) is SparseHeader.Magic or CowdHeader.Magic || IsDescriptor(head) ? 100 : 0;
    }

    public override IImageLayer Open(OpenContext context)
    {
        OpenedDisk disk = Opener.Open(context);
        try
        {
            return context.Write ? new Writer(disk) : new Reader(disk);
        }
        catch
        {
            disk.Dispose();
            throw;
        }
    }

    public override IReadOnlyList<CreateOption> CreateOptions { get; } =
    [
        new("size", CreateOptionType.Size, "Virtual disk size"),
        new("adapter_type", CreateOptionType.Text, "Virtual adapter type, can be one of ide (default), lsilogic, buslogic or legacyESX"),
        new("backing_file", CreateOptionType.Text, "File name of a base image"),
        new("backing_fmt", CreateOptionType.Text, "Must be 'vmdk' if present"),
        new("compat6", CreateOptionType.Flag, "VMDK version 6 image", "off"),
        new("hwversion", CreateOptionType.Text, "VMDK hardware version", "undefined"),
        new("toolsversion", CreateOptionType.Text, "VMware guest tools version"),
        new("subformat", CreateOptionType.Text,
            "VMDK flat extent format, can be one of {monolithicSparse (default) | monolithicFlat | twoGbMaxExtentSparse | twoGbMaxExtentFlat | streamOptimized} "),
        new("zeroed_grain", CreateOptionType.Flag, "Enable efficient zero writes using the zeroed-grain GTE feature"),
    ];

    public override void Create(CreateRequest request) => Creator.Create(request);

    public override IFillTarget CreateFill(CreateRequest request)
    {
        CreateSettings settings = CreateSettings.From(request);
        if (request.Compress && settings.Flat)
        {
            // A flat disk has no clusters that could be compressed one by one.
            throw new ImageException(ImageErrorKind.InvalidArgument, request.FileName, "invalid cluster size");
        }

        return Filling(NewDisk.Create(request, directories: !settings.Stream));
    }

    public override IFillTarget OpenFill(CreateRequest request)
    {
        if (CreateSettings.From(request).Stream)
        {
            throw new ImageException(ImageErrorKind.Unsupported, request.FileName, "A streamOptimized image is written from start to end: it cannot be continued");
        }

        return Filling(NewDisk.Open(request));
    }

    private static IFillTarget Filling(NewDisk disk) => disk.Settings switch
    {
        { Flat: true } => new FillFlat(disk),
        { Stream: true } => new FillStream(disk),
        _ => new FillSparse(disk),
    };

    private static bool IsDescriptor(ReadOnlySpan<byte> text)
    {
        while (text.Length > 0)
        {
            int end = text.IndexOf((byte)'\n');
            ReadOnlySpan<byte> line = end < 0 ? text : text[..end];
            bool comment = line.Length > 0 && line[0] == (byte)'#';
            if (!comment)
            {
                // A blank line has at least one space; an empty one ends QEMU's patience.
                bool blank = line.Length > 0 && line[0] == (byte)' ' && line.TrimStart((byte)' ').TrimEnd((byte)'\r').IsEmpty && end >= 0;
                if (!blank)
                {
                    return end >= 0 && line.TrimEnd((byte)'\r') is [.. var name, >= (byte)'1' and <= (byte)'3'] && name.SequenceEqual("version="u8);
                }
            }

            if (end < 0)
            {
                return false;
            }

            text = text[(end + 1)..];
        }

        return false;
    }
}
