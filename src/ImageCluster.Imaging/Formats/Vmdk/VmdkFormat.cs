using System.Buffers.Binary;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>
/// VMware's virtual disk (VMware Virtual Disk Format 1.1 and 5.0): sparse, flat and split disks, streams. Facts that the
/// specification leaves open are QEMU's (block/vmdk.c).
/// </summary>
public sealed class VmdkFormat : ImageFormat
{
    public override string Name => "vmdk";

    public override bool SupportsBacking => true;

    /// <summary>100 for a sparse extent's magic, and for text whose first line that is neither comment nor blank is <c>version=</c> 1 to 3.</summary>
    public override int Probe(ReadOnlySpan<byte> head, string fileName)
    {
        if (head.Length < sizeof(uint))
        {
            return 0;
        }

        return BinaryPrimitives.ReadUInt32BigEndian(head) is SparseHeader.Magic or CowdHeader.Magic || IsDescriptor(head) ? 100 : 0;
    }

    public override IImageLayer Open(OpenContext context) => new Reader(Opener.Open(context));

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
