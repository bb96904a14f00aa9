using System.Buffers.Binary;
using ImageCluster.Imaging.Formats.Filters.Debugging;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <content>In which order what changed gets into the file: what a table refers to before the table, and what is freed behind both.</content>
internal partial class TableWriter
{
    /// <summary>Brings all tables to the file, in order; not durable yet where nothing is to follow.</summary>
    public void Commit()
    {
        ThrowIfFailed();
        if (_changedTables.Count > 0 || _changedEntries.Count > 0 || Allocator.NotedBytes > 0)
        {
            Guard(CommitOrdered);
        }
    }

    /// <summary>Returns when everything is durable.</summary>
    public virtual void Flush()
    {
        Commit();
        Guard(() =>
        {
            if (!IsLazy)
            {
                Refcounts.Write();
            }

            FlushFiles();
            if (RecordsWrites && _bitmaps is { HasEdits: true })
            {
                _bitmaps.Store();
            }
        });
    }

    /// <summary>As <see cref="Flush"/>, with refcounts that were postponed, and marks the image clean.</summary>
    public virtual void Finish()
    {
        if (!_began)
        {
            return;
        }

        Commit();
        Guard(() =>
        {
            Refcounts.Write();
            FlushFiles();
            _bitmaps?.Store();
            _bitmaps = null;
            _began = false;
            if (_isDirty)
            {
                WriteDirtyBit(false);
            }
        });
    }

    /// <summary>As <see cref="Flush"/>, with all refcounts, also those that may wait: somebody else is to change the file.</summary>
    public void Settle()
    {
        Flush();
        Guard(() =>
        {
            Refcounts.Write();
            FlushFiles();
        });
    }

    /// <summary>Writes what changed, in order.</summary>
    protected virtual void CommitOrdered()
    {
        if (!IsLazy)
        {
            Refcounts.Write();
        }

        if (_changedTables.Count > 0 || _changedEntries.Count > 0)
        {
            FlushFiles();
            WriteTables();
        }

        if (_changedEntries.Count > 0)
        {
            _metadata.File.Flush();
            WriteL1Entries();
        }

        if (Allocator.NotedBytes > 0)
        {
            _metadata.File.Flush();
            Allocator.FreeNoted();
        }
    }

    /// <summary>Writes the L2 tables that changed.</summary>
    protected void WriteTables()
    {
        foreach ((L2Table table, (int from, int to)) in _changedTables)
        {
            if (to > from)
            {
                int start = from & -SectorSize;
                int end = (to + SectorSize - 1) & -SectorSize;
                _metadata.File.Tell("l2_update");
                _metadata.File.Write(table.HostOffset + start, table.Bytes[start..end]);
            }

            _metadata.L2.Unpin(table.HostOffset);
        }

        _changedTables.Clear();
    }

    private void WriteL1Entries()
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        foreach (int index in _changedEntries)
        {
            BinaryPrimitives.WriteUInt64BigEndian(bytes, _metadata.L1[index]);
            _metadata.File.Tell("l1_update");
            _metadata.File.Write(_metadata.Header.L1Offset + ((long)index * sizeof(ulong)), bytes);
        }

        _changedEntries.Clear();
    }

    /// <summary>Makes what was written durable.</summary>
    protected void FlushFiles()
    {
        if (_metadata.HasDataFile)
        {
            _metadata.DataFile.Flush();
        }

        _metadata.File.Flush();
    }

    private void WriteDirtyBit(bool dirty)
    {
        Header header = _metadata.Header;
        IncompatibleFeatures features = dirty
            ? header.Incompatible | IncompatibleFeatures.Dirty
            : header.Incompatible & ~IncompatibleFeatures.Dirty;
        HeaderPatch.WriteIncompatible(_metadata.File, features);
        _metadata.File.Flush();
        _metadata.Header = header with { Incompatible = features };
        _isDirty = dirty;
    }
}
