using System.Buffers.Binary;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// Keeps the persistent bitmaps that record writes (flag auto) up to date, as QEMU does: they are marked as in use before the first write, what is
/// written is remembered, and when the image is closed its bits are added and the mark is taken off. After a crash the mark stays: every
/// reader then knows that they are not to be trusted. For one thread at a time.
/// </summary>
internal sealed class BitmapTracker
{
    private const int EntryLength = 24;
    private const int FlagsAt = 12;
    private const ulong AllOnes = 1;
    private const ulong ReservedMask = 0xFF00_0000_0000_01FE;

    // One bit a granule, in pages.
    private const int PageBits = 15;

    private readonly Metadata _metadata;
    private readonly List<(PersistentBitmap Bitmap, int FlagsAt)> _bitmaps = [];
    private readonly Dictionary<long, byte[]> _pages = [];
    private readonly int _granularityBits = 31;

    private BitmapTracker(Metadata metadata)
    {
        _metadata = metadata;
        IReadOnlyList<PersistentBitmap> all = BitmapDirectory.Read(metadata.File, metadata.Header);
        byte[] directory = new byte[metadata.Header.Bitmaps!.Value.DirectorySize];
        metadata.File.ReadPadded(metadata.Header.Bitmaps.Value.DirectoryOffset, directory);
        int at = 0;
        foreach (PersistentBitmap bitmap in all)
        {
            if ((bitmap.Flags & (BitmapFlags.Auto | BitmapFlags.InUse)) == BitmapFlags.Auto)
            {
                _bitmaps.Add((bitmap, at + FlagsAt));
                _granularityBits = Math.Min(_granularityBits, bitmap.GranularityBits);
            }

            at += (EntryLength + BinaryPrimitives.ReadUInt16BigEndian(directory.AsSpan(at + 18)) + 7) & ~7;
        }
    }

    /// <summary>Marks the bitmaps that record as in use, durably; null where there are none.</summary>
    public static BitmapTracker? Begin(Metadata metadata)
    {
        if (metadata.Header.Bitmaps is null)
        {
            return null;
        }

        BitmapTracker tracker = new(metadata);
        if (tracker._bitmaps.Count == 0)
        {
            return null;
        }

        tracker.WriteFlags(tracker._bitmaps, BitmapFlags.Auto | BitmapFlags.InUse);
        return tracker;
    }

    /// <summary>Guest bytes that are about to change.</summary>
    public void Mark(long offset, long length)
    {
        long last = (offset + length - 1) >> _granularityBits;
        for (long granule = offset >> _granularityBits; granule <= last; granule++)
        {
            if (!_pages.TryGetValue(granule >> PageBits, out byte[]? page))
            {
                page = new byte[1 << (PageBits - 3)];
                _pages.Add(granule >> PageBits, page);
            }

            int index = (int)granule & ((1 << PageBits) - 1);
            page[index >> 3] |= (byte)(1 << (index & 7));
        }
    }

    /// <summary>
    /// Adds what was marked to the bitmaps and takes the mark off; one whose table is not sound keeps it. Everything else that was written
    /// must be durable.
    /// </summary>
    public void Store(Refcounts refcounts)
    {
        MetadataOverlap overlap = new(_metadata, refcounts);
        List<(PersistentBitmap Bitmap, int FlagsAt)> stored = [];
        List<(long At, ulong Entry)> entries = [];
        foreach ((PersistentBitmap bitmap, int flagsAt) in _bitmaps)
        {
            if (ReadTable(bitmap, overlap) is { } table)
            {
                StoreBits(bitmap, table, refcounts, entries);
                stored.Add((bitmap, flagsAt));
            }
        }

        refcounts.Write();
        _metadata.File.Flush();
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        foreach ((long at, ulong entry) in entries)
        {
            BinaryPrimitives.WriteUInt64BigEndian(bytes, entry);
            _metadata.File.Write(at, bytes);
        }

        _metadata.File.Flush();
        WriteFlags(stored, BitmapFlags.Auto);
    }

    private void WriteFlags(List<(PersistentBitmap Bitmap, int FlagsAt)> bitmaps, BitmapFlags flags)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, (uint)flags);
        foreach ((_, int at) in bitmaps)
        {
            _metadata.File.Write(_metadata.Header.Bitmaps!.Value.DirectoryOffset + at, bytes);
        }

        _metadata.File.Flush();
    }

    // Null where writing by it would do harm.
    private ulong[]? ReadTable(PersistentBitmap bitmap, MetadataOverlap overlap)
    {
        long bytes = bitmap.TableEntries * (long)sizeof(ulong);
        if (bytes > _metadata.File.Length - bitmap.TableOffset || overlap.Find(bitmap.TableOffset, bytes) is not null)
        {
            return null;
        }

        ulong[] table = Metadata.ReadL1(_metadata.File, bitmap.TableOffset, (int)bitmap.TableEntries);
        foreach (ulong entry in table)
        {
            long offset = (long)(entry & Layout.OffsetMask);
            bool sound = (entry & ReservedMask) == 0
                && (offset == 0 || ((entry & AllOnes) == 0 && _metadata.Layout.IsClusterAligned(offset)
                    && offset < _metadata.File.Length && overlap.Find(offset, _metadata.Layout.ClusterSize) is null));
            if (!sound)
            {
                return null;
            }
        }

        return table;
    }

    // By clusters of the bitmap: those that the table has are written in place, the others get room.
    private void StoreBits(PersistentBitmap bitmap, ulong[] table, Refcounts refcounts, List<(long At, ulong Entry)> entries)
    {
        Layout layout = _metadata.Layout;
        byte[] cluster = new byte[layout.ClusterSize];
        long loaded = -1;
        foreach (long granule in Marked())
        {
            long bit = granule >> (bitmap.GranularityBits - _granularityBits);
            long index = bit >> (layout.ClusterBits + 3);
            if (index != loaded)
            {
                Save(loaded);
                loaded = Load(index) ? index : -1;
            }

            if (loaded >= 0)
            {
                int inCluster = (int)(bit & ((layout.ClusterSize * 8L) - 1));
                cluster[inCluster >> 3] |= (byte)(1 << (inCluster & 7));
            }
        }

        Save(loaded);

        bool Load(long index)
        {
            long offset = (long)(table[index] & Layout.OffsetMask);
            if (offset == 0)
            {
                cluster.AsSpan().Clear();
                return (table[index] & AllOnes) == 0;
            }

            _metadata.File.ReadPadded(offset, cluster);
            return true;
        }

        void Save(long index)
        {
            if (index < 0)
            {
                return;
            }

            long offset = (long)(table[index] & Layout.OffsetMask);
            if (offset == 0)
            {
                offset = refcounts.Allocate(1) << layout.ClusterBits;
                table[index] = (ulong)offset;
                entries.Add((bitmap.TableOffset + (index * sizeof(ulong)), (ulong)offset));
            }

            _metadata.File.Write(offset, cluster);
        }
    }

    private IEnumerable<long> Marked()
    {
        foreach (long key in _pages.Keys.Order())
        {
            byte[] page = _pages[key];
            for (int i = 0; i < 1 << PageBits; i++)
            {
                if ((page[i >> 3] >> (i & 7) & 1) != 0)
                {
                    yield return (key << PageBits) + i;
                }
            }
        }
    }
}
