using System.Buffers.Binary;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// The persistent bitmaps of an image that is open for writing. Those that are enabled record what the guest writes: they are marked as in use
/// in the file before the first write, so that after a crash every reader knows that they are not to be trusted. What was recorded or
/// edited is stored when the image is flushed (edits) or closed: bits, tables and a new directory into new room, then the header is
/// switched over, then what was replaced is free. For one thread at a time.
/// </summary>
internal sealed class BitmapSet
{
    private const int MinDefaultGranularity = 4 << 10;
    private const int MaxDefaultGranularity = 64 << 10;
    private const long MaxGranularity = 1L << BitmapDirectory.MaxGranularityBits;
    private const long MinGranularity = 1L << BitmapDirectory.MinGranularityBits;

    private readonly Metadata _metadata;
    private readonly TableWriter _tables;
    private readonly List<Bitmap> _bitmaps = [];

    // What the file's directory has that this set has not any more.
    private readonly List<PersistentBitmap> _removed = [];
    private bool _directoryChanged;
    private bool _recording;

    public BitmapSet(Metadata metadata, TableWriter tables)
    {
        _metadata = metadata;
        _tables = tables;
        _bitmaps.AddRange(BitmapDirectory.Read(metadata.File, metadata.Header).Select(static stored => new Bitmap(stored)));
    }

    /// <summary>Something was edited that the file does not have yet.</summary>
    public bool HasEdits { get; private set; }

    public IReadOnlyList<ImageBitmap> List() => BitmapReader.List(_bitmaps.ConvertAll(static bitmap => bitmap.Entry));

    /// <summary>Guest bytes are about to change.</summary>
    public void Record(long offset, long length)
    {
        if (!_recording)
        {
            BeginRecording();
        }

        foreach (Bitmap bitmap in _bitmaps)
        {
            if (bitmap.Entry.Flags == BitmapFlags.Auto)
            {
                Content(bitmap).Mark(offset, length);
            }
        }
    }

    /// <param name="name">1 to 1,023 bytes.</param>
    /// <param name="granularity">Bytes, a power of two from 512 to 2 GiB; 0 for QEMU's default, the cluster size within 4 to 64 KiB.</param>
    /// <param name="enabled">It records writes.</param>
    public void Add(string name, long granularity, bool enabled)
    {
        byte[] nameBytes = NameText.GetBytes(name);
        if (granularity == 0)
        {
            granularity = Math.Clamp(_metadata.Layout.ClusterSize, MinDefaultGranularity, MaxDefaultGranularity);
        }

        CheckNew(name, nameBytes.Length, granularity);
        int granularityBits = (int)long.Log2(granularity);
        PersistentBitmap entry = new(name, 0, 0, enabled ? BitmapFlags.Auto : BitmapFlags.None, granularityBits);
        BitmapContent content = BitmapContent.Empty(_metadata.File, _metadata.Layout, granularityBits, _metadata.Header.VirtualSize);

        // QEMU stores those that are new last, the newest first.
        int at = _bitmaps.FindIndex(static bitmap => bitmap.Stored is null);
        _bitmaps.Insert(at < 0 ? _bitmaps.Count : at, new Bitmap(entry, content));
        HasEdits = _directoryChanged = true;
    }

    public void Remove(string name)
    {
        Bitmap bitmap = Find(name);
        if (bitmap.Stored is not null)
        {
            _removed.Add(bitmap.Stored);
        }

        _bitmaps.Remove(bitmap);
        HasEdits = _directoryChanged = true;
    }

    public void Clear(string name)
    {
        Content(FindConsistent(name)).Clear();
        HasEdits = true;
    }

    public void Enable(string name, bool enabled)
    {
        Bitmap bitmap = FindConsistent(name);
        BitmapFlags flags = enabled ? BitmapFlags.Auto : BitmapFlags.None;
        if (bitmap.Entry.Flags != flags)
        {
            bitmap.Entry = bitmap.Entry with { Flags = flags };
            HasEdits = _directoryChanged = true;
        }
    }

    public void Mark(string name, IEnumerable<(long Offset, long Length)> ranges)
    {
        BitmapContent content = Content(FindConsistent(name));
        foreach ((long offset, long length) in ranges)
        {
            content.Mark(offset, length);
        }

        HasEdits = true;
    }

    public IEnumerable<(long Offset, long Length)> Ranges(string name) => Content(FindConsistent(name)).Ranges();

    /// <summary>Refuses a change of the disk's size that the bitmaps cannot follow.</summary>
    public void CheckResize(long size)
    {
        foreach (Bitmap bitmap in _bitmaps)
        {
            _ = Consistent(bitmap);
            if (!Fits(size, 1L << bitmap.Entry.GranularityBits))
            {
                throw new ImageException(ImageErrorKind.Limit, _metadata.File.Name,
                    size == 0 ? "An image with bitmaps cannot shrink to nothing" : $"Bitmap '{bitmap.Entry.Name}' is too big")
                {
                    Hint = "Remove the bitmaps first with qemu-img bitmap --remove",
                };
            }
        }
    }

    /// <summary>
    /// The disk's size is about to change: while it does, tables in the file are not of the right length, which only bitmaps in use may have.
    /// </summary>
    public void BeginResize()
    {
        if (HasEdits)
        {
            // Also one that is removed here, but still there in the file.
            Store();
        }

        _bitmaps.ForEach(bitmap => _ = Content(bitmap));
        MarkInUse(static _ => true);
        HasEdits = _bitmaps.Count > 0;
    }

    /// <summary>Follows a change of the disk's size.</summary>
    public void Resize(long size) => _bitmaps.ForEach(bitmap => Content(bitmap).Resize(size));

    /// <summary>Stores what was recorded and edited, and takes the marks off. Everything else that was written must be durable.</summary>
    public void Store()
    {
        if (!HasEdits && !_recording)
        {
            return;
        }

        if (_directoryChanged || _bitmaps.Exists(static bitmap => bitmap.Content is { IsChanged: true }))
        {
            StoreAnew();
        }
        else
        {
            WriteFlags(_bitmaps.FindAll(static bitmap => bitmap.Stored!.Flags != bitmap.Entry.Flags), static bitmap => bitmap.Entry.Flags);
        }

        HasEdits = _directoryChanged = _recording = false;
    }

    private void BeginRecording()
    {
        if (HasEdits)
        {
            // What the file has is to be as it is here: an enabled bitmap of which the file knows nothing else would record nothing.
            Store();
        }

        // Whatever of them is not sound is found out before anything is written.
        foreach (Bitmap bitmap in _bitmaps)
        {
            if (bitmap.Entry.Flags == BitmapFlags.Auto)
            {
                _ = Content(bitmap);
            }
        }

        MarkInUse(static stored => stored.Flags == BitmapFlags.Auto);
        _recording = true;
    }

    private void MarkInUse(Predicate<PersistentBitmap> which) =>
        WriteFlags(_bitmaps.FindAll(b => b.Stored is { IsInconsistent: false } stored && which(stored)), static b => b.Stored!.Flags | BitmapFlags.InUse);

    // In place: 4 bytes of one sector.
    private void WriteFlags(List<Bitmap> bitmaps, Func<Bitmap, BitmapFlags> flags)
    {
        if (bitmaps.Count == 0)
        {
            return;
        }

        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        foreach (Bitmap bitmap in bitmaps)
        {
            PersistentBitmap stored = bitmap.Stored! with { Flags = flags(bitmap) };
            BinaryPrimitives.WriteUInt32BigEndian(bytes, (uint)stored.Flags);
            _metadata.File.Write(_metadata.Header.Bitmaps!.Value.DirectoryOffset + stored.Position + BitmapDirectory.FlagsPosition, bytes);
            bitmap.Stored = stored;
        }

        _metadata.File.Flush();
    }

    private void StoreAnew()
    {
        // What is freed below goes together with what the guest's tables no longer name, which must be so in the file first.
        _tables.Commit();
        List<long> tables = [];
        HashSet<long> clusters = [];
        BitmapsPointer? old = _metadata.Header.Bitmaps;
        foreach (PersistentBitmap removed in _removed)
        {
            NoteRoom(removed, tables, clusters);
        }

        foreach (Bitmap bitmap in _bitmaps)
        {
            if (bitmap.Content is { IsChanged: true } content)
            {
                if (bitmap.Stored is not null)
                {
                    NoteRoom(bitmap.Stored, tables, clusters);
                }

                bitmap.Entry = bitmap.Entry with { TableOffset = content.Save(_tables.Allocate), TableEntries = (uint)content.TableEntries };
                clusters.ExceptWith(content.Clusters());
            }
        }

        BitmapsPointer? pointer = WriteDirectory();
        _tables.Refcounts.Write();
        _metadata.File.Flush();
        BitmapsExtension.Write(_metadata, pointer);
        _removed.Clear();
        if (old is { } directory)
        {
            Free(directory.DirectoryOffset, directory.DirectorySize);
        }

        tables.ForEach(table => Free(table, _metadata.Layout.ClusterSize));
        foreach (long cluster in clusters.Order())
        {
            Free(cluster, _metadata.Layout.ClusterSize, discard: true);
        }

        _tables.Allocator.FreeNoted();
        _tables.Refcounts.Write();
        _metadata.File.Flush();
    }

    private BitmapsPointer? WriteDirectory()
    {
        if (_bitmaps.Count == 0)
        {
            return null;
        }

        int position = 0;
        foreach (Bitmap bitmap in _bitmaps)
        {
            bitmap.Stored = bitmap.Entry = bitmap.Entry with { Position = position };
            position += BitmapDirectory.LengthOf(bitmap.Entry.NameBytes.Length);
        }

        byte[] directory = BitmapDirectory.Serialize(_bitmaps.ConvertAll(static bitmap => bitmap.Entry));
        long clusters = (directory.Length + _metadata.Layout.ClusterSize - 1L) >> _metadata.Layout.ClusterBits;
        long offset = _tables.Allocate(clusters);
        byte[] whole = new byte[clusters << _metadata.Layout.ClusterBits];
        directory.CopyTo(whole, 0);
        _metadata.File.Write(offset, whole);
        return new BitmapsPointer(_bitmaps.Count, offset, directory.Length);
    }

    // The clusters of the table of a bitmap in the file, and those that it names. Of a table that is not sound nothing is known: it leaks.
    private void NoteRoom(PersistentBitmap stored, List<long> tables, HashSet<long> clusters)
    {
        if (!BitmapTable.IsReadable(stored) || BitmapTable.Read(_metadata.File, stored) is not { } entries
            || Array.Exists(entries, entry => !BitmapTable.IsValid(entry, _metadata.Layout)))
        {
            return;
        }

        long bytes = stored.TableEntries * (long)sizeof(ulong);
        for (long at = 0; at < bytes; at += _metadata.Layout.ClusterSize)
        {
            tables.Add(stored.TableOffset + at);
        }

        clusters.UnionWith(entries.Select(BitmapTable.OffsetOf).Where(static offset => offset != 0));
    }

    // Only a corrupt image names what is not a bitmap's; its metadata stays.
    private void Free(long offset, long length, bool discard = false)
    {
        if (!_tables.IsMetadata(offset, length))
        {
            _tables.Allocator.FreeLater(offset, length, discard);
        }
    }

    private void CheckNew(string name, int nameLength, long granularity)
    {
        if (nameLength == 0)
        {
            throw Wrong("Bitmap name cannot be empty");
        }

        if (granularity is < MinGranularity or > MaxGranularity || !long.IsPow2(granularity))
        {
            throw Wrong("Granularity must be power of 2 and at least 512");
        }

        if (_bitmaps.Exists(bitmap => bitmap.Entry.Name == name))
        {
            throw new ImageException(ImageErrorKind.Exists, _metadata.File.Name, $"Bitmap already exists: {name}");
        }

        if (_metadata.Header.Version < 3)
        {
            throw new ImageException(ImageErrorKind.Unsupported, _metadata.File.Name, "Cannot store dirty bitmaps in qcow2 v2 files");
        }

        if (_metadata.Header.Bitmaps is null)
        {
            // That the header has room for them is made sure of now, not when they are stored.
            _ = HeaderWriter.Write(_metadata.Header with { Bitmaps = new BitmapsPointer(1, 0, 0) }, _metadata.File.Name);
        }

        long directory = _bitmaps.Sum(static bitmap => (long)BitmapDirectory.LengthOf(bitmap.Entry.NameBytes.Length)) + BitmapDirectory.LengthOf(nameLength);
        string? complaint =
            _metadata.Header.VirtualSize == 0 ? "The disk has no bytes whose changes could be recorded"
            : !Fits(_metadata.Header.VirtualSize, granularity) ? "Too much space will be occupied by the bitmap. Use larger granularity"
            : nameLength > BitmapDirectory.MaxNameLength ? $"Name length exceeds maximum ({BitmapDirectory.MaxNameLength} characters)"
            : _bitmaps.Count >= Header.MaxBitmaps ? "Maximum number of persistent bitmaps is already reached"
            : directory > Header.MaxBitmapDirectoryBytes ? "Not enough space in the bitmap directory"
            : null;
        if (complaint is not null)
        {
            throw new ImageException(ImageErrorKind.Limit, _metadata.File.Name, complaint);
        }
    }

    private bool Fits(long size, long granularity)
    {
        Int128 bytes = (((Int128)size + granularity - 1) / granularity + 7) / 8;
        return bytes > 0 && bytes <= BitmapDirectory.MaxBytes && bytes <= (Int128)BitmapDirectory.MaxTableEntries << _metadata.Layout.ClusterBits;
    }

    private BitmapContent Content(Bitmap bitmap) =>
        bitmap.Content ??= BitmapContent.Load(_metadata.File, _metadata.Header, _metadata.Layout, bitmap.Stored!);

    private Bitmap Find(string name) => _bitmaps.Find(bitmap => bitmap.Entry.Name == name) ?? throw BitmapReader.NotFound(_metadata.File.Name, name);

    private Bitmap FindConsistent(string name) => Consistent(Find(name));

    private Bitmap Consistent(Bitmap bitmap) =>
        bitmap.Entry.IsInconsistent ? throw BitmapReader.Inconsistent(_metadata.File.Name, bitmap.Entry.Name) : bitmap;

    private ImageException Wrong(string message) => new(ImageErrorKind.InvalidArgument, _metadata.File.Name, message);

    private sealed class Bitmap
    {
        public Bitmap(PersistentBitmap stored) => Stored = Entry = stored;

        public Bitmap(PersistentBitmap entry, BitmapContent content) => (Entry, Content) = (entry, content);

        /// <summary>As the file has it now, with the flags that it has there; null where it has none.</summary>
        public PersistentBitmap? Stored { get; set; }

        /// <summary>As it is to be, as soon as it is stored.</summary>
        public PersistentBitmap Entry { get; set; }

        /// <summary>Loaded when first needed.</summary>
        public BitmapContent? Content { get; set; }
    }
}
