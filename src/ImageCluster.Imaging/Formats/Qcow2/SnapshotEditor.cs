using System.Buffers.Binary;
using System.Globalization;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Filters.Debugging;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// Takes, applies and deletes internal snapshots of an image that nobody else uses meanwhile and whose tables are all in the file. Counts go
/// up, durably, before anything refers to what they count, and down after; while the flags of the active tables do not agree with them a
/// version 3 image is marked dirty, so that who opens it after a crash sets them right.
/// </summary>
internal sealed class SnapshotEditor
{
    private readonly Metadata _metadata;
    private readonly Layout _layout;
    private readonly Refcounts _refcounts;
    private readonly L2Table _table;
    private readonly List<Snapshot> _snapshots;
    private readonly long _tableLength;

    public SnapshotEditor(Metadata metadata)
    {
        _metadata = metadata;
        _layout = metadata.Layout;
        _refcounts = new Refcounts(metadata);
        _table = new L2Table(0, _layout.ClusterSize / sizeof(ulong));
        if (metadata.HasDataFile)
        {
            throw new ImageException(ImageErrorKind.Unsupported, metadata.File.Name, "Internal snapshots are not possible with an external data file") { Errno = Errno.OpNotSupp };
        }

        SnapshotTableContent content = SnapshotTable.Load(metadata.File, metadata.Header, forCheck: false, null);
        _snapshots = [.. content.Snapshots];
        _tableLength = _snapshots.Count == 0 ? 0 : content.Length;
    }

    private IBlockFile File => _metadata.File;

    /// <summary>The snapshot of that id, as the table has it.</summary>
    /// <exception cref="ImageException">There is none, or its L1 table is out of bounds.</exception>
    public Snapshot Find(string id)
    {
        Snapshot snapshot = _snapshots.Find(candidate => candidate.Id == id)
            ?? throw new ImageException(ImageErrorKind.NotFound, File.Name, "Can't find the snapshot") { Errno = Errno.NoEnt };
        SnapshotTable.CheckPlace(snapshot, _layout, File.Name);
        return snapshot;
    }

    public void Create(ImageSnapshot wanted)
    {
        if (_snapshots.Count >= Header.MaxSnapshots)
        {
            throw new ImageException(ImageErrorKind.Limit, File.Name, "File too large") { Errno = Errno.FBig };
        }

        if (NameText.GetByteCount(wanted.Id) > ushort.MaxValue || NameText.GetByteCount(wanted.Name) > ushort.MaxValue)
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, File.Name, $"A snapshot's id and name have at most {ushort.MaxValue} bytes");
        }

        Header header = _metadata.Header;
        ulong[] l1 = Metadata.ReadL1(File, header.L1Offset, header.L1Entries);
        long bytes = (long)header.L1Entries * sizeof(ulong);
        long offset = bytes == 0 ? 0 : _refcounts.AllocateForMetadata((bytes + _layout.ClusterSize - 1) >> _layout.ClusterBits);
        CheckRoomForOneMore(l1);
        CopiedFlags.SetDirty(_metadata, true);
        WriteL1(offset, l1, header.L1Entries);
        ChangeReferences(l1, up: true);
        _refcounts.Write();
        File.Flush();
        new CopiedFlags(_metadata, _refcounts).Refresh();
        _snapshots.Add(new Snapshot
        {
            Id = wanted.Id.Length > 0 ? wanted.Id : NextId(),
            Name = wanted.Name,
            L1Offset = offset,
            L1Entries = (uint)header.L1Entries,
            DateSeconds = (uint)wanted.DateSeconds,
            DateNanoseconds = (uint)wanted.DateNanoseconds,
            VmClockNanoseconds = wanted.VmClockNanoseconds,
            VmStateSize = wanted.VmStateSize,
            InstructionCount = wanted.InstructionCount ?? ulong.MaxValue,
            DiskSize = header.VirtualSize,
            ExtraDataLength = SnapshotTableWriter.ExtraDataLength,
        });
        SnapshotTableWriter.Write(_metadata, _refcounts, _snapshots, _tableLength);
        Finish();
    }

    /// <summary>The disk must have the snapshot's size, and the active L1 table at least as many entries as its own.</summary>
    public void Apply(Snapshot snapshot)
    {
        Header header = _metadata.Header;
        ulong[] old = Metadata.ReadL1(File, header.L1Offset, header.L1Entries);
        ulong[] l1 = Metadata.ReadL1(File, snapshot.L1Offset, (int)snapshot.L1Entries);
        CheckRoomForOneMore(l1);
        CopiedFlags.SetDirty(_metadata, true);
        ChangeReferences(l1, up: true);
        _refcounts.Write();
        File.Flush();

        // Flags for what is shared from now on; those of the old tables do not matter any more.
        for (int i = 0; i < l1.Length; i++)
        {
            l1[i] &= ~Layout.CopiedFlag;
        }

        WriteL1(header.L1Offset, l1, header.L1Entries);
        File.Flush();
        ChangeReferences(old, up: false);
        Finish();
    }

    public void Delete(Snapshot snapshot)
    {
        ulong[] l1 = snapshot.L1Entries == 0 ? [] : Metadata.ReadL1(File, snapshot.L1Offset, (int)snapshot.L1Entries);
        Step.Run("Failed to remove snapshot from snapshot list", () =>
        {
            CopiedFlags.SetDirty(_metadata, true);
            _snapshots.Remove(snapshot);
            SnapshotTableWriter.Write(_metadata, _refcounts, _snapshots, _tableLength);
        });
        Step.Run("Failed to free the cluster and L1 table", () =>
        {
            ChangeReferences(l1, up: false);
            File.Tell("cluster_free");
            long bytes = (long)snapshot.L1Entries * sizeof(ulong);
            for (long at = 0; at < bytes; at += _layout.ClusterSize)
            {
                Drop((snapshot.L1Offset + at) >> _layout.ClusterBits);
            }
        });
        Step.Run("Failed to update snapshot status in disk", Finish);
    }

    private void Finish()
    {
        _refcounts.Write();
        File.Flush();
        new CopiedFlags(_metadata, _refcounts).Refresh();
        CopiedFlags.SetDirty(_metadata, false);
    }

    private string NextId()
    {
        ulong highest = 0;
        foreach (Snapshot snapshot in _snapshots)
        {
            // As strtoul reads it: the digits that the id starts with.
            int digits = snapshot.Id.AsSpan().IndexOfAnyExceptInRange('0', '9');
            ReadOnlySpan<char> number = digits < 0 ? snapshot.Id : snapshot.Id.AsSpan(0, digits);
            if (ulong.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out ulong id))
            {
                highest = Math.Max(highest, id);
            }
        }

        return (highest + 1).ToString(CultureInfo.InvariantCulture);
    }

    private void WriteL1(long offset, ulong[] l1, int entries)
    {
        if (entries == 0)
        {
            return;
        }

        byte[] bytes = new byte[(long)entries * sizeof(ulong)];
        for (int i = 0; i < l1.Length; i++)
        {
            BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(i * sizeof(ulong)), l1[i]);
        }

        File.Write(offset, bytes);
    }

    // Before anything is changed: narrow refcounts may be at their end, and a damaged table may name clusters that no block counts.
    private void CheckRoomForOneMore(ulong[] l1) => ForEachCluster(l1, cluster =>
    {
        if (!_refcounts.Counts(cluster))
        {
            bool isBeyond = cluster >> _layout.RefcountBlockBits >= Header.MaxRefcountTableBytes / sizeof(ulong);
            throw isBeyond
                ? new ImageException(ImageErrorKind.Limit, File.Name, "File too large") { Errno = Errno.FBig }
                : new ImageException(ImageErrorKind.Io, File.Name, "Resource temporarily unavailable") { Errno = Errno.Again };
        }

        if (_refcounts.Get(cluster) >= _layout.RefcountMax)
        {
            throw new ImageException(ImageErrorKind.Limit, File.Name, $"Refcount of cluster {cluster} is at its maximum, {_layout.RefcountMax}")
            {
                Hint = "Use qemu-img amend to increase the refcount entry width",
                Errno = Errno.Inval,
            };
        }
    });

    private void ChangeReferences(ulong[] l1, bool up)
    {
        if (!up)
        {
            ForEachCluster(l1, Drop);
            return;
        }

        ForEachCluster(l1, cluster =>
        {
            while (!_refcounts.TryIncrease(cluster, 1))
            {
                // A block had to be made for it; now there is one.
            }
        });
    }

    private void Drop(long cluster)
    {
        long offset = cluster << _layout.ClusterBits;
        if (_refcounts.Decrease(cluster) && _refcounts.Overlap.Find(offset, _layout.ClusterSize) is null)
        {
            File.Discard(offset, _layout.ClusterSize);
        }
    }

    // Each reference that the tables below an L1 table make: data first, then the table that names them.
    private void ForEachCluster(ulong[] l1, Action<long> action)
    {
        for (int i = 0; i < l1.Length; i++)
        {
            long offset = (long)(l1[i] & Layout.OffsetMask);
            if (offset == 0)
            {
                continue;
            }

            ReadTable(offset, i);
            for (int index = 0; index < _layout.L2Entries; index++)
            {
                ClusterEntry entry = ClusterEntry.Read(_table, index, _metadata);
                if (entry.IsCompressed)
                {
                    long start = _layout.CompressedOffset(entry.Word);
                    long last = (start + _layout.CompressedLength(entry.Word) - 1) >> _layout.ClusterBits;
                    for (long cluster = start >> _layout.ClusterBits; cluster <= last; cluster++)
                    {
                        action(cluster);
                    }
                }
                else if (entry.Host >= 0)
                {
                    if (!_layout.IsClusterAligned(entry.Host))
                    {
                        throw Corrupt(BadEntry.Cluster(entry.Host, offset, index));
                    }

                    action(entry.Host >> _layout.ClusterBits);
                }
            }

            action(offset >> _layout.ClusterBits);
        }
    }

    private void ReadTable(long offset, int l1Index)
    {
        if (!_layout.IsClusterAligned(offset))
        {
            throw Corrupt(BadEntry.L2Table(offset, l1Index));
        }

        File.Tell("l2_load");
        File.ReadPadded(offset, _table.Bytes);
    }

    private ImageException Corrupt(string message) => _metadata.Signal(message);
}
