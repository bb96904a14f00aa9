using System.Buffers;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// A qcow2 image open for writing in place. Payload goes into its room first, then the tables are told (reserve, write, publish); what orders
/// them in the file is <see cref="TableWriter"/>. Writes of different clusters run at once: only reserving and publishing take the lock.
/// </summary>
internal sealed partial class WritableQcow2Image :
    Qcow2Image, IWritableLayer, ICompressedWriter, IResizable, ISnapshotEditor, IEmptyable, IBackingChanger, IBitmapEditor
{
    private const int SectorSize = 512;

    /// <summary>Bytes that are encrypted at once.</summary>
    private const int EncryptedPiece = 256 << 10;

    private readonly Lock _gate = new();
    private readonly Layout _layout;
    private readonly IRoom? _room;
    private TableWriter? _tablesOrNone;

    // How written zeros reach the file; changed only while nobody else writes.
    private ZeroMode _zeroMode = ZeroMode.MayUnmap;
    private bool _disposed;

    /// <param name="metadata">The image's state, owned from here on.</param>
    /// <param name="fileName">As the caller gave it.</param>
    /// <param name="room">Where clusters and tables go when a shard is merged into the image (<see cref="IMergeShard"/>); null for the image's own allocator.</param>
    public WritableQcow2Image(Metadata metadata, string fileName, IRoom? room = null)
        : base(metadata, fileName)
    {
        _layout = metadata.Layout;
        _room = room;
    }

    private enum Target
    {
        /// <summary>The clusters' own room: nothing to publish.</summary>
        InPlace,

        /// <summary>Whole clusters into room that they have but do not use.</summary>
        Existing,

        /// <summary>Whole clusters into new room.</summary>
        New,

        /// <summary>A part of one cluster, the rest of which must be filled up.</summary>
        Part,
    }

    // Made when it is first needed: what it reads may be broken, and a check must be able to open the image all the same.
    private TableWriter Tables => _tablesOrNone ??= _room is null ? new TableWriter(Metadata) : new ShardTableWriter(Metadata, _room);

    /// <summary>Partial writes are possible by subclusters.</summary>
    public override long Granularity => _layout.SubclusterSize;

    /// <summary>Without a backing file what a cluster does not have yet is zeros: the caller need not fill it up, and bitmaps record no more than was written.</summary>
    public long WriteUnit => Backing is null ? 1 : Granularity;

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        CheckRange(offset, data.Length);
        EnterShared();
        try
        {
            while (data.Length > 0)
            {
                int done = WriteSome(offset, data.Length, data);
                offset += done;
                data = data[done..];
            }
        }
        finally
        {
            ExitShared();
        }
    }

    public void Flush()
    {
        lock (_gate)
        {
            Tables.Flush();
        }
    }

    /// <summary>Writes what is left and marks the image clean. What failed before is not said again.</summary>
    public override void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        try
        {
            lock (_gate)
            {
                if (_tablesOrNone is { HasFailed: false } tables)
                {
                    tables.Finish();
                }
            }
        }
        finally
        {
            _operations.Dispose();
            base.Dispose();
        }
    }

    private void CheckRange(long offset, long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, VirtualSize - offset);
        if (Unreadable is not null)
        {
            throw new ImageException(Unreadable.Kind, Unreadable.File, Unreadable.Message, Unreadable) { Hint = Unreadable.Hint };
        }
    }

    // Writes as much of the start as is all alike, and says how much that was. Without data, zeros.
    private int WriteSome(long offset, int length, ReadOnlySpan<byte> data)
    {
        Plan plan;
        lock (_gate)
        {
            Tables.Begin(offset, length);
            plan = MakePlan(offset, length);
        }

        data = data.IsEmpty ? data : data[..plan.Length];
        if (plan.Target == Target.InPlace)
        {
            WriteHost(offset, plan.Host, plan.Length, data);
            return plan.Length;
        }

        try
        {
            if (plan.Target == Target.Part)
            {
                WritePart(plan, offset, data);
            }
            else
            {
                WriteHost(offset, plan.Host, plan.Length, data);
            }
        }
        catch when (plan.IsNewRoom && !Metadata.HasDataFile)
        {
            // Nothing points to the room: it is simply free again.
            lock (_gate)
            {
                Tables.Allocator.Release(plan.Host, (long)plan.Clusters << _layout.ClusterBits);
            }

            throw;
        }

        lock (_gate)
        {
            Tables.ThrowIfFailed();
            Publish(plan, offset);
        }

        return plan.Length;
    }

    // What to do with the start of a write, and room for it where it needs some.
    private Plan MakePlan(long offset, int length)
    {
        int l1Index = _layout.L1Index(offset);
        int index = _layout.L2Index(offset);
        int inCluster = _layout.OffsetInCluster(offset);
        length = (int)Math.Min(length, ((long)(l1Index + 1) << _layout.L2TableShift) - offset);
        L2Table? table = Tables.Find(l1Index);
        ClusterEntry first = EntryOf(table, index, offset);
        int part = Math.Min(length, _layout.ClusterSize - inCluster);
        uint touched = TouchedBits(inCluster, part);
        if (IsInPlace(first, touched))
        {
            int bytes = CountInPlace(table!, index, first.Host, inCluster, length);
            CheckFree(first.Host, inCluster + bytes);
            return new Plan(Target.InPlace, first.Host + inCluster, bytes);
        }

        if (part < _layout.ClusterSize)
        {
            long own = first.IsWritable ? CheckFree(first.Host, _layout.ClusterSize) : ReserveFor(l1Index, offset - inCluster, 1);
            return new Plan(Target.Part, own, part) { Old = first, Clusters = 1, IsNewRoom = !first.IsWritable, Touched = touched };
        }

        bool existing = first.IsWritable;
        int clusters = CountAlike(table, index, first, length >> _layout.ClusterBits, offset);
        long host = existing ? CheckFree(first.Host, (long)clusters << _layout.ClusterBits) : ReserveFor(l1Index, offset, clusters);
        return new Plan(existing ? Target.Existing : Target.New, host, clusters << _layout.ClusterBits)
        {
            Clusters = clusters,
            IsNewRoom = !existing,
        };
    }

    private ClusterEntry EntryOf(L2Table? table, int index, long offset)
    {
        ClusterEntry entry = table is null ? ClusterEntry.Absent : ClusterEntry.Read(table, index, Metadata);
        return entry.Host < 0 || _layout.IsClusterAligned(entry.Host)
            ? entry
            : throw Metadata.Signal($"{(entry.Allocated == 0 ? "Preallocated zero" : "Data")} cluster offset 0x{entry.Host:x} unaligned (guest offset: 0x{offset:x})");
    }

    private static bool IsInPlace(in ClusterEntry entry, uint touched) => entry.IsWritable && (entry.Allocated & touched) == touched;

    // Bytes from inCluster on that stand in place and contiguous in the file.
    private int CountInPlace(L2Table table, int index, long host, int inCluster, int length)
    {
        int bytes = _layout.ClusterSize - inCluster;
        while (bytes < length)
        {
            ClusterEntry next = ClusterEntry.Read(table, ++index, Metadata);
            host += _layout.ClusterSize;
            if (next.Host != host || !IsInPlace(next, TouchedBits(0, Math.Min(length - bytes, _layout.ClusterSize))))
            {
                break;
            }

            bytes += _layout.ClusterSize;
        }

        return Math.Min(bytes, length);
    }

    // Whole clusters from one on that need the same: new room, or contiguous room that they have.
    private int CountAlike(L2Table? table, int index, in ClusterEntry first, int most, long offset)
    {
        if (table is null)
        {
            return most;
        }

        int count = 1;
        while (count < most)
        {
            ClusterEntry next = EntryOf(table, index + count, offset + ((long)count << _layout.ClusterBits));
            bool alike = first.IsWritable
                ? next.IsWritable && next.Host == first.Host + ((long)count << _layout.ClusterBits) && next.Allocated != ClusterEntry.AllBits(_layout)
                : !next.IsWritable;
            if (!alike)
            {
                break;
            }

            count++;
        }

        return count;
    }

    // Room that an entry names is no better than the image: it must not be metadata.
    private long CheckFree(long host, long length)
    {
        if (!Metadata.HasDataFile)
        {
            Tables.CheckFree(host, length);
        }

        return host;
    }

    // The table is opened first, as QEMU does: it stands before the data in the file. In an external data file every cluster has its place.
    private long ReserveFor(int l1Index, long guestCluster, int clusters)
    {
        _ = Tables.Open(l1Index);
        return Metadata.HasDataFile ? guestCluster : Tables.Allocate(clusters);
    }

    private uint TouchedBits(int inCluster, int length)
    {
        int first = inCluster >> _layout.SubclusterBits;
        int last = (inCluster + length - 1) >> _layout.SubclusterBits;
        return (uint)(((1UL << (last - first + 1)) - 1) << first);
    }

    private void Publish(in Plan plan, long offset)
    {
        int index = _layout.L2Index(offset);
        L2Table table = Tables.Open(_layout.L1Index(offset));
        for (int i = 0; i < plan.Clusters; i++)
        {
            ClusterEntry old = ClusterEntry.Read(table, index + i, Metadata);
            uint kept = plan.Target == Target.Part && !old.IsCompressed ? old.Allocated : 0;
            uint written = plan.Target == Target.Part ? plan.Touched : ClusterEntry.AllBits(_layout);
            if (plan.IsNewRoom)
            {
                Free(old, discard: false);
            }

            uint zero = plan.Target == Target.Part ? old.Zero & ~written : 0;
            long host = plan.Host + ((long)i << _layout.ClusterBits);
            ClusterEntry.WithHost(host, old.IsCompressed ? ClusterEntry.AllBits(_layout) : kept | written, zero, _layout).Store(table, index + i, _layout);
        }

        Tables.Changed(table, index, plan.Clusters);
    }

    // Notes that an entry's room loses this reference.
    private void Free(in ClusterEntry entry, bool discard)
    {
        Tables.Allocator.FreeLater(entry, discard);
        if (entry.Host >= 0 && discard && Metadata.HasDataFile)
        {
            Metadata.DataFile.Discard(entry.Host, _layout.ClusterSize);
        }
    }

    // Fills the subclusters that the write touches in part, and those that only the old room has, from what they were.
    private void WritePart(in Plan plan, long offset, ReadOnlySpan<byte> data)
    {
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
        if (Cipher is null)
        {
            if (data.IsEmpty)
            {
                Metadata.DataFile.WriteZeroes(hostOffset, length, _zeroMode);
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

    private readonly record struct Plan(Target Target, long Host, int Length)
    {
        /// <summary>For a part: what the cluster was.</summary>
        public ClusterEntry Old { get; init; }

        public int Clusters { get; init; }

        public bool IsNewRoom { get; init; }

        /// <summary>For a part: the subclusters that are written.</summary>
        public uint Touched { get; init; }
    }
}
