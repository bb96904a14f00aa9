using System.Buffers.Binary;
using System.Runtime.InteropServices;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// The state of an open image: its files, header, L1 table and L2 tables, shared by what reads it and what changes it. Owns the files.
/// Reading is safe from any number of threads; whoever changes something (the writable layer) does so under a lock of its own.
/// </summary>
internal sealed class Metadata : IDisposable
{
    private readonly Lock _l1Lock = new();
    private readonly IBlockFile? _externalData;
    private volatile ulong[]? _l1;

    public Metadata(IBlockFile file, IBlockFile? externalData, Header header)
    {
        File = file;
        _externalData = externalData;
        Header = header;
        Layout = new Layout(header);
        L2 = new L2Cache(file, Layout);
    }

    /// <summary>The image's file: metadata, and data unless there is an external data file.</summary>
    public IBlockFile File { get; }

    /// <summary>Where guest clusters stand: the external data file where the header says so, else <see cref="File"/>.</summary>
    public IBlockFile DataFile => _externalData ?? File;

    public bool HasDataFile => Header.HasDataFile;

    /// <summary>As it is in the file; replaced, never changed in place.</summary>
    public Header Header { get; set; }

    public Layout Layout { get; }

    public L2Cache L2 { get; }

    /// <summary>
    /// The active L1 table in the machine's byte order, read when it is first asked for. Entries that the file ends before are zero, and may
    /// be missing at the end of the array.
    /// </summary>
    /// <exception cref="ImageException">The file ends before the table starts.</exception>
    public ulong[] L1
    {
        get => _l1 ?? LoadL1();
        set => _l1 = value;
    }

    /// <summary>The file's tables were changed by other ways: they are read again when they are next asked for.</summary>
    public void Reload()
    {
        _l1 = null;
        L2.Clear();
    }

    /// <summary>
    /// What to throw where an entry is wrong. An image that is open for writing is marked as corrupt first, as QEMU does, so that nobody writes it
    /// before it is checked.
    /// </summary>
    public ImageException Signal(string message)
    {
        lock (_l1Lock)
        {
            if (File.CanWrite && Header.Version >= 3 && !Header.IsCorrupt)
            {
                Mark();
            }
        }

        return new ImageException(ImageErrorKind.Corrupt, File.Name, message)
        {
            Errno = Errno.IO,
            Corruption = File.CanWrite ? CorruptionSignal.Marked : CorruptionSignal.Found,
        };
    }

    private void Mark()
    {
        Header marked = Header with { Incompatible = Header.Incompatible | IncompatibleFeatures.Corrupt };
        try
        {
            HeaderPatch.WriteIncompatible(File, marked.Incompatible);
            File.Flush();
            Header = marked;
        }
        catch (ImageException)
        {
            // What is wrong with the image is to be told, not that this cannot be stored.
        }
    }

    public void Dispose()
    {
        _externalData?.Dispose();
        File.Dispose();
    }

    /// <summary>Reads an L1 table (the active one or a snapshot's), whose place has been checked.</summary>
    public static ulong[] ReadL1(IBlockFile file, long offset, int entries)
    {
        if (entries == 0)
        {
            return [];
        }

        // Memory for what the file has, not for what the header claims.
        long inFile = file.Length - offset;
        if (inFile <= 0)
        {
            throw new ImageException(ImageErrorKind.Truncated, file.Name, $"Could not read L1 table: offset 0x{offset:x} lies beyond the end of the file");
        }

        ulong[] table = new ulong[Math.Min(entries, (inFile + sizeof(ulong) - 1) / sizeof(ulong))];
        file.ReadPadded(offset, MemoryMarshal.AsBytes(table.AsSpan()));
        if (BitConverter.IsLittleEndian)
        {
            BinaryPrimitives.ReverseEndianness(table, table);
        }

        return table;
    }

    private ulong[] LoadL1()
    {
        lock (_l1Lock)
        {
            return _l1 ??= ReadL1(File, Header.L1Offset, Header.L1Entries);
        }
    }
}
