using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// A qcow2 image open for writing in place. Payload goes into its room first, then the tables are told (reserve, write, publish); what orders
/// them in the file is <see cref="TableWriter"/>. Writes of different clusters run at once: only reserving and publishing take the lock.
/// </summary>
internal sealed partial class WritableQcow2Image :
    Qcow2Image, IWritableLayer, ICopyWriter, ICompressedWriter, IResizable, ISnapshotEditor, IEmptyable, IBackingChanger, IBitmapEditor, IRepairedOnOpen
{
    private const int SectorSize = 512;

    /// <summary>Bytes that are encrypted at once.</summary>
    private const int EncryptedPiece = 256 << 10;

    private readonly Lock _gate = new();
    private readonly Layout _layout;
    private readonly IRoom? _room;
    private TableWriter? _tablesOrNone;

    // How written zeros reach the file, null for not at all; changed only while nobody else writes.
    private ZeroMode? _zeroMode = ZeroMode.MayUnmap;
    private bool _disposed;

    // An operation failed on the file, and said so.
    private bool _failed;

    /// <param name="metadata">The image's state, owned from here on.</param>
    /// <param name="fileName">As the caller gave it.</param>
    /// <param name="room">Where clusters and tables go when a shard is merged into the image (<see cref="IMergeShard"/>); null for the image's own allocator.</param>
    public WritableQcow2Image(Metadata metadata, string fileName, IRoom? room = null)
        : base(metadata, fileName)
    {
        _layout = metadata.Layout;
        _room = room;
    }

    // Made when it is first needed: what it reads may be broken, and a check must be able to open the image all the same.
    private TableWriter Tables => _tablesOrNone ??= _room is null ? new TableWriter(Metadata) : new ShardTableWriter(Metadata, _room);

    /// <summary>Partial writes are possible by subclusters.</summary>
    public override long Granularity => _layout.SubclusterSize;

    /// <summary>Without a backing file what a cluster does not have yet is zeros: the caller need not fill it up, and bitmaps record no more than was written.</summary>
    public long WriteUnit => Backing is null ? 1 : Granularity;

    public void Write(long offset, ReadOnlySpan<byte> data) => WriteFilled(offset, data, offset, data.Length);

    public void WriteFilled(long offset, ReadOnlySpan<byte> data, long written, long length)
    {
        CheckRange(offset, data.Length);
        EnterShared();
        try
        {
            while (data.Length > 0)
            {
                int done = WriteSome(offset, data.Length, data, written, length);
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
        catch (ImageException) when (_failed)
        {
            // As the operation did.
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

    private int WriteSome(long offset, int length, ReadOnlySpan<byte> data) => WriteSome(offset, length, data, offset, length);

    // Writes as much of the start as is all alike, and says how much that was. Without data, zeros. What the guest wrote is recorded.
    private int WriteSome(long offset, int length, ReadOnlySpan<byte> data, long written, long writtenLength)
    {
        Plan plan;
        lock (_gate)
        {
            long recorded = Math.Max(offset, written);
            Tables.Begin(recorded, Math.Max(0, Math.Min(offset + length, written + writtenLength) - recorded));
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
        catch
        {
            ReleaseRoom(plan);
            throw;
        }

        lock (_gate)
        {
            Tables.ThrowIfFailed();
            Publish(plan, offset);
        }

        return plan.Length;
    }

    private void Publish(in Plan plan, long offset)
    {
        int index = _layout.L2Index(offset);
        L2Table table = Tables.Open(_layout.L1Index(offset));
        if (Metadata.HasDataFile)
        {
            Tables.Allocator.KeepData(plan.Host, plan.Clusters);
        }

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
            Tables.Allocator.DiscardDataLater(entry.Host);
        }
    }
}
