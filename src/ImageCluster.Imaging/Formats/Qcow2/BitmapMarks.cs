using System.Buffers.Binary;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// Persistent bitmaps that record writes (flag auto) are out of date once somebody writes to the image who does not keep them up. Such a writer marks
/// them as in use before its first write and leaves them so: every reader then knows that they are not to be trusted.
/// </summary>
internal static class BitmapMarks
{
    private const int EntryLength = 24;
    private const int FlagsAt = 12;

    /// <summary>Marks all bitmaps that record writes, durably.</summary>
    public static void MarkInUse(Metadata metadata)
    {
        if (metadata.Header.Bitmaps is not { } pointer)
        {
            return;
        }

        byte[] directory = new byte[pointer.DirectorySize];
        metadata.File.ReadPadded(pointer.DirectoryOffset, directory);
        bool changed = false;
        for (int at = 0; at + EntryLength <= directory.Length;)
        {
            Span<byte> entry = directory.AsSpan(at);
            BitmapFlags flags = (BitmapFlags)BinaryPrimitives.ReadUInt32BigEndian(entry[FlagsAt..]);
            if ((flags & BitmapFlags.Auto) != 0 && (flags & BitmapFlags.InUse) == 0)
            {
                Span<byte> marked = entry.Slice(FlagsAt, sizeof(uint));
                BinaryPrimitives.WriteUInt32BigEndian(marked, (uint)(flags | BitmapFlags.InUse));
                metadata.File.Write(pointer.DirectoryOffset + at + FlagsAt, marked);
                changed = true;
            }

            int names = BinaryPrimitives.ReadUInt16BigEndian(entry[18..]);
            at += (EntryLength + names + 7) & ~7;
        }

        if (changed)
        {
            metadata.File.Flush();
        }
    }
}
