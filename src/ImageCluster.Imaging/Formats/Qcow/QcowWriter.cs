using System.Buffers;
using ImageCluster.Imaging.Encryption;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow;

/// <summary>A qcow image open for writing in place.</summary>
internal sealed class QcowWriter : QcowReader, IWritableLayer, ICompressedWriter, IEmptyable
{
    private const int MaxUsualL1Offset = QcowHeader.Length + 1024;

    private readonly ClusterWriter _writer;

    public QcowWriter(OpenContext context, QcowHeader header, SectorCipher? cipher)
        : base(context, header, cipher) => _writer = new ClusterWriter(File, Tables, Map, zeroFilled: false, Put);

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        if (!Header.IsEncrypted || (offset | (long)data.Length) % SectorCipher.SectorLength == 0)
        {
            _writer.Write(offset, data);
            return;
        }

        // Part of an encrypted sector, in a cluster that is there: the sectors are read up and written whole.
        long start = offset & -SectorCipher.SectorLength;
        int length = (int)(((offset + data.Length + SectorCipher.SectorLength - 1) & -SectorCipher.SectorLength) - start);
        byte[] sectors = new byte[length];
        for (long at = start; at < start + length;)
        {
            Extent extent = Map(at, start + length - at);
            Read(extent, sectors.AsSpan((int)(at - start), (int)extent.Length));
            at = extent.End;
        }

        data.CopyTo(sectors.AsSpan((int)(offset - start)));
        _writer.Write(start, sectors);
    }

    /// <summary>The format has no word for zeros: over a backing file they are written as data.</summary>
    public void WriteZeroes(long offset, long length, ZeroMode mode)
    {
        for (long end = offset + length; offset < end;)
        {
            Extent extent = Look(offset, end - offset);
            if (extent.Kind == ExtentKind.Data && !Header.IsEncrypted)
            {
                File.WriteZeroes(extent.HostOffset, extent.Length, mode);
            }
            else if (extent.Kind == ExtentKind.Compressed && Backing is null)
            {
                _writer.Set(offset, 0);
            }
            else if (extent.Kind != ExtentKind.Absent || Backing is not null)
            {
                extent = extent with { Length = Math.Min(extent.Length, Header.ClusterSize) };
                Write(offset, new byte[extent.Length]);
            }

            offset += extent.Length;
        }
    }

    /// <summary>Gives the space of plain clusters back where that leaves zeros; the format does not know which clusters are free.</summary>
    public void Discard(long offset, long length)
    {
        if (Backing is null || !Header.IsEncrypted)
        {
            for (long end = offset + length; offset < end;)
            {
                Extent extent = Look(offset, end - offset);
                if (extent.Kind == ExtentKind.Data && !Header.IsEncrypted)
                {
                    File.WriteZeroes(extent.HostOffset, extent.Length, ZeroMode.MayUnmap);
                }

                offset += extent.Length;
            }
        }
    }

    public void WriteCompressed(long offset, ReadOnlySpan<byte> data)
    {
        if (Header.IsEncrypted)
        {
            throw new ImageException(ImageErrorKind.Unsupported, FileName, "Compression and encryption not supported at the same time");
        }

        byte[] whole = ArrayPool<byte>.Shared.Rent(Header.ClusterSize);
        byte[] packed = ArrayPool<byte>.Shared.Rent(Header.ClusterSize);
        try
        {
            while (data.Length > 0)
            {
                // The last cluster is filled up with zeros where the disk ends within it.
                Span<byte> cluster = whole.AsSpan(0, Header.ClusterSize);
                int length = Math.Min(data.Length, Header.ClusterSize);
                cluster[length..].Clear();
                data[..length].CopyTo(cluster);
                WriteCluster(offset, cluster, length, packed.AsSpan(0, Header.ClusterSize - 1));
                offset += length;
                data = data[length..];
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(whole);
            ArrayPool<byte>.Shared.Return(packed);
        }
    }

    public void Flush() => _writer.Flush();

    public void MakeEmpty()
    {
        Flush();
        long length = Header.L1Count * sizeof(ulong);
        File.WriteZeroes(Header.L1TableOffset, length, ZeroMode.MayUnmap);
        File.Flush();
        Tables.Forget();
        if (File.CanResize && Header.L1TableOffset <= MaxUsualL1Offset)
        {
            // Nothing that counts stands behind the table, where QEMU puts it: right behind header and backing file's name.
            File.SetLength(QcowLayout.FileLength(Header));
            _writer.Restart(File.Length);
        }
    }

    public override void Dispose()
    {
        try
        {
            Flush();
        }
        finally
        {
            base.Dispose();
        }
    }

    private void WriteCluster(long offset, ReadOnlySpan<byte> cluster, int length, Span<byte> packed)
    {
        int packedLength = Codec.Compress(cluster, packed);
        if (packedLength == 0)
        {
            _writer.Write(offset, cluster[..length]);
            return;
        }

        long host = _writer.Take(packedLength, alignment: 1);
        File.Write(host, packed[..packedLength]);
        _writer.Set(offset, QcowEntry.Compressed(host, packedLength, Header.ClusterBits));
        if (Tables.WantsWriteBack)
        {
            Flush();
        }
    }

    private void Put(long guestOffset, long hostOffset, ReadOnlySpan<byte> data)
    {
        if (!Header.IsEncrypted)
        {
            File.Write(hostOffset, data);
            return;
        }

        SectorCipher cipher = Cipher ?? throw new ImageException(ImageErrorKind.Secret, FileName, "Parameter 'encrypt.key-secret' is required for cipher");
        byte[] sectors = ArrayPool<byte>.Shared.Rent(data.Length);
        try
        {
            data.CopyTo(sectors);
            cipher.Encrypt(guestOffset / SectorCipher.SectorLength, sectors.AsSpan(0, data.Length));
            File.Write(hostOffset, sectors.AsSpan(0, data.Length));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(sectors, clearArray: true);
        }
    }
}
