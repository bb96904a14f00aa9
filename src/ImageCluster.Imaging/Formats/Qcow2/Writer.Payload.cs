using System.Buffers;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats.Filters.Debugging;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <content>Guest bytes on their way into room: parts of clusters are filled up, and all is encrypted where the image is.</content>
internal sealed partial class WritableQcow2Image
{
    // Fills the subclusters that the write touches in part, and those that only the old room has, from what they were.
    private void WritePart(in Plan plan, long offset, ReadOnlySpan<byte> data)
    {
        if (KeepsWhatStands(data))
        {
            return;
        }

        int inCluster = _layout.OffsetInCluster(offset);
        long cluster = offset - inCluster;
        uint needed = plan.Touched | (plan.IsNewRoom ? plan.Old.Allocated : 0);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(_layout.ClusterSize);
        try
        {
            for (int sub = 0; sub < _layout.ClusterSize >> _layout.SubclusterBits;)
            {
                int run = 0;
                while (sub + run < 32 && (needed >> (sub + run) & 1) != 0)
                {
                    run++;
                }

                if (run == 0)
                {
                    sub++;
                    continue;
                }

                int from = sub << _layout.SubclusterBits;
                int to = (sub + run) << _layout.SubclusterBits;
                Span<byte> span = buffer.AsSpan(from, to - from);
                int dataFrom = Math.Clamp(inCluster, from, to);
                int dataTo = Math.Clamp(inCluster + plan.Length, from, to);
                Metadata.File.Tell("cow_read");
                ReadOwn(cluster + from, span[..(dataFrom - from)]);
                ReadOwn(cluster + dataTo, span[(dataTo - from)..]);
                Span<byte> written = span[(dataFrom - from)..(dataTo - from)];
                if (data.IsEmpty)
                {
                    written.Clear();
                }
                else if (dataTo > dataFrom)
                {
                    data.Slice(dataFrom - inCluster, written.Length).CopyTo(written);
                }

                Metadata.File.Tell("cow_write");
                WriteHost(cluster + from, plan.Host + from, span.Length, span);
                sub += run;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    // What this layer has; the disk's end is followed by zeros. What only a backing file could say must have been filled in by the caller.
    private void ReadOwn(long offset, Span<byte> buffer)
    {
        while (buffer.Length > 0)
        {
            if (offset >= VirtualSize)
            {
                buffer.Clear();
                return;
            }

            Extent extent = Map(offset, Math.Min(buffer.Length, VirtualSize - offset));
            Span<byte> part = buffer[..(int)extent.Length];
            switch (extent.Kind)
            {
                case ExtentKind.Data or ExtentKind.Compressed:
                    Read(extent, part);
                    break;
                case ExtentKind.Absent when Backing is not null:
                    throw new ArgumentException($"A write into a cluster that the image does not have must be of the whole cluster (guest offset 0x{offset:x}).");
                default:
                    part.Clear();
                    break;
            }

            offset += part.Length;
            buffer = buffer[part.Length..];
        }
    }

    // Without data, zeros.
    private void WriteHost(long guestOffset, long hostOffset, int length, ReadOnlySpan<byte> data)
    {
        if (KeepsWhatStands(data))
        {
            return;
        }

        if (Cipher is null)
        {
            if (data.IsEmpty)
            {
                Metadata.DataFile.WriteZeroes(hostOffset, length, _zeroMode!.Value);
            }
            else
            {
                Metadata.DataFile.Write(hostOffset, data);
            }

            return;
        }

        while (length > 0)
        {
            int part = (int)Math.Min(length, EncryptedPiece - (guestOffset & (SectorSize - 1)));
            WriteEncrypted(guestOffset, hostOffset, part, data.IsEmpty ? data : data[..part]);
            guestOffset += part;
            hostOffset += part;
            length -= part;
            data = data.IsEmpty ? data : data[part..];
        }
    }

    private bool KeepsWhatStands(ReadOnlySpan<byte> data) => data.IsEmpty && _zeroMode is null;

    private void WriteEncrypted(long guestOffset, long hostOffset, int length, ReadOnlySpan<byte> data)
    {
        int before = (int)(guestOffset & (SectorSize - 1));
        int rounded = (before + length + SectorSize - 1) & -SectorSize;
        byte[] sectors = ArrayPool<byte>.Shared.Rent(rounded);
        try
        {
            Span<byte> whole = sectors.AsSpan(0, rounded);
            if (rounded != length)
            {
                // Only in room where the guest's bytes stand already: elsewhere sectors are whole.
                Metadata.DataFile.ReadPadded(hostOffset - before, whole);
                Cipher!.Decrypt(guestOffset - before, hostOffset - before, whole);
            }

            if (data.IsEmpty)
            {
                whole.Slice(before, length).Clear();
            }
            else
            {
                data.CopyTo(whole[before..]);
            }

            Cipher!.Encrypt(guestOffset - before, hostOffset - before, whole);
            Metadata.DataFile.Write(hostOffset - before, whole);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(sectors);
        }
    }
}
