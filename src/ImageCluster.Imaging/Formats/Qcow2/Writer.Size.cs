using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats.Filters.Debugging;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <content>Changing the disk's size, dropping all it holds, changing the backing file.</content>
internal sealed partial class WritableQcow2Image
{
    /// <summary>As QEMU's resize, with its refusals. What is added is absent but for what <paramref name="hide"/> writes.</summary>
    public void Resize(long newSize, string preallocation, Action? hide = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(newSize);
        Alone(() =>
        {
            Tables.Begin();
            CheckResize(newSize, preallocation);
            ChangeSize(newSize, preallocation, hide);
            Tables.Flush();
            return 0;
        });
    }

    public void CheckGrowthOverBacking(long newSize, string preallocation) => Alone(() =>
    {
        CheckResize(newSize, preallocation);
        return Metadata.Header.Version >= 3 || preallocation is not ("off" or "metadata") || newSize <= RoundUp(VirtualSize, _layout.ClusterSize)
            ? 0
            : throw Refusal("Failed to zero out new clusters: Operation not supported");
    });

    public void Unrecorded(Action write)
    {
        Tables.RecordsWrites = false;
        try
        {
            write();
        }
        finally
        {
            Tables.RecordsWrites = true;
        }
    }

    public void MakeEmpty() => Alone(() =>
    {
        Tables.Begin();
        ulong[] l1 = Metadata.L1;
        for (int i = 0; i < l1.Length; i++)
        {
            DropTable(i);
        }

        Metadata.File.Tell("empty_image_prepare");
        Tables.Flush();
        if (Metadata.Header.SnapshotCount == 0 && !Metadata.HasDataFile)
        {
            Metadata.File.Tell("reftable_update");
            Tables.Guard(Tables.Refcounts.DropEmptyBlocks);
            Tables.Flush();
            CutFile();
        }

        return 0;
    });

    public void ChangeBacking(BackingReference? backing) => Alone(() =>
    {
        // A raw data file shows all that the guest sees.
        if (backing is not null && Metadata.Header.IsDataFileRaw)
        {
            throw new ImageException(ImageErrorKind.Unsupported, FileName, "With a raw data file there can be no backing file") { Errno = Errno.Inval };
        }

        Tables.Begin();
        Tables.Flush();
        Header header = Metadata.Header with { BackingFile = backing?.Name, BackingFormat = backing?.Format };
        ReplaceHeader(header);
        return 0;
    });

    private void ReplaceHeader(Header header)
    {
        _ = HeaderWriter.Write(header, FileName);
        Tables.Guard(() => HeaderWriter.Replace(Metadata.File, header));
        Metadata.Header = header;
    }

    // Nobody else writes meanwhile; tables stay as they are in memory.
    private T Alone<T>(Func<T> action)
    {
        RequireWhole();
        _operations.EnterWriteLock();
        try
        {
            lock (_gate)
            {
                return action();
            }
        }
        catch (ImageException e) when (e.Kind is ImageErrorKind.Io or ImageErrorKind.NoSpace)
        {
            _failed = true;
            throw;
        }
        finally
        {
            _operations.ExitWriteLock();
        }
    }

    private void CheckResize(long newSize, string preallocation)
    {
        if (preallocation is not ("off" or "metadata" or "falloc" or "full"))
        {
            throw Refusal($"Unsupported preallocation mode '{preallocation}'");
        }

        if (newSize % SectorSize != 0)
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, FileName, $"The new size must be a multiple of {SectorSize}");
        }

        if (Metadata.Header.SnapshotCount > 0 && Metadata.Header.Version < 3)
        {
            throw Refusal("Can't resize a v2 image which has snapshots");
        }

        if (Metadata.HasDataFile)
        {
            // A device that is long enough has room for what is preallocated.
            if (preallocation == "off")
            {
                FixedLength.Require(Metadata.DataFile, newSize);
            }
            else if (preallocation != "metadata" && newSize > Metadata.DataFile.Length)
            {
                Preallocating.Require(preallocation, "", Metadata.DataFile);
            }
        }

        Tables.Bitmaps.CheckResize(newSize);
        if (newSize < VirtualSize && preallocation != "off")
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, FileName, "Preallocation can't be used for shrinking an image");
        }
    }

    private ImageException Refusal(string message) => new(ImageErrorKind.Unsupported, FileName, message);

    private void ChangeSize(long newSize, string preallocation, Action? hide = null)
    {
        long oldSize = VirtualSize;
        if (newSize == oldSize)
        {
            return;
        }

        Tables.RecordsWrites = false;
        try
        {
            Tables.Guard(Tables.Bitmaps.BeginResize);
            if (newSize < oldSize)
            {
                Shrink(newSize);
            }
            else
            {
                Step.Run("Failed to update the image size", () => Grow(oldSize, newSize, preallocation, hide));
            }

            Tables.Bitmaps.Resize(newSize);
        }
        finally
        {
            Tables.RecordsWrites = true;
        }
    }

    private void Shrink(long newSize)
    {
        Step.Run("Failed to find the last cluster", () =>
        {
            if (Tables.Refcounts.Get(0) == 0)
            {
                // Not even the header is counted: what the file may be cut to nobody knows.
                throw Metadata.Signal("There are no references in the refcount table.");
            }
        });
        Step.Run("Failed to discard cropped clusters", () => Crop(newSize));
        Step.Run("Failed to discard unused refblocks", () =>
        {
            Tables.Guard(Tables.Refcounts.DropEmptyBlocks);
            Tables.Flush();
        });
        Step.Run("Failed to update the image size", () => StoreSize(newSize));
        if (Metadata.HasDataFile)
        {
            ResizeDataFile(newSize);
            return;
        }

        Step.Run("Failed to find the last cluster", CutFile);
    }

    // The file ends with its last cluster in use.
    private void CutFile()
    {
        long clusters = (Metadata.File.Length + _layout.ClusterSize - 1) >> _layout.ClusterBits;
        long last = clusters - 1;
        while (last > 0 && Tables.Refcounts.Get(last) == 0)
        {
            last--;
        }

        long end = (last + 1) << _layout.ClusterBits;
        if (end < Metadata.File.Length && Metadata.File.CanResize)
        {
            Metadata.File.SetLength(!Tables.IsMetadata(end, Metadata.File.Length - end)
                ? end
                : throw Metadata.Signal($"Refcounts say that nothing is in use from 0x{end:x} on, but tables stand there"));
        }
    }

    private void Crop(long newSize)
    {
        long from = RoundUp(newSize, _layout.ClusterSize);
        long firstUnused = _layout.L1EntriesFor(newSize);
        ForEachTable(from, Math.Max(from, VirtualSize), (l1Index, start, stop) =>
        {
            if (l1Index < firstUnused)
            {
                DropEntries(l1Index, start, stop);
            }
        });
        for (int i = (int)firstUnused; i < Metadata.L1.Length; i++)
        {
            DropTable(i);
        }

        Tables.Flush();
    }

    private void Grow(long oldSize, long newSize, string preallocation, Action? hide)
    {
        long entries = _layout.L1EntriesFor(newSize);
        Step.Run("Failed to grow the L1 table", () => Tables.GrowL1((int)Math.Min(entries, int.MaxValue)));
        bool cutsDataFile = preallocation == "off" && !Metadata.Header.IsDataFileRaw;
        if (Metadata.HasDataFile && (cutsDataFile || Metadata.DataFile.Length < newSize))
        {
            ResizeDataFile(newSize);
        }

        // Tables for what is not part of the disk yet do no harm; the size is stored when they are there.
        Metadata.Header = Metadata.Header with { VirtualSize = newSize };
        try
        {
            if (Metadata.Header.IsDataFileRaw)
            {
                Adopt(oldSize, newSize, preallocation);
            }
            else
            {
                ClearTail(oldSize, Math.Min(newSize, RoundUp(oldSize, _layout.ClusterSize)));
                if (preallocation != "off")
                {
                    _zeroMode = preallocation == "metadata" ? ZeroMode.MayUnmap : ZeroMode.KeepAllocated;
                    IBlockFile? taken = Metadata.HasDataFile && Metadata.DataFile.HasFixedSize ? null : Metadata.DataFile;
                    Preallocating.Run(preallocation, Metadata.HasDataFile ? "" : "Failed to resize underlying file: ", taken, () => WriteZeroBytes(oldSize, newSize - oldSize));
                }

                if (hide is not null)
                {
                    // What the L1 table lay in is free for it, as in QEMU.
                    Tables.Flush();
                    Step.Run("Failed to zero out new clusters", hide);
                }
            }

            Tables.Flush();
            StoreSize(newSize);
        }
        catch
        {
            Metadata.Header = Metadata.Header with { VirtualSize = oldSize };
            throw;
        }
        finally
        {
            _zeroMode = ZeroMode.MayUnmap;
        }
    }

    // What the last cluster holds behind the disk's end was not the guest's.
    private void ClearTail(long from, long to)
    {
        while (from < to)
        {
            Extent extent = Map(from, to - from);
            if (extent.Kind is ExtentKind.Data or ExtentKind.Compressed)
            {
                WriteZeroBytes(from, extent.Length);
            }

            from = extent.End;
        }
    }

    // A raw data file is the disk: what stands in it already is the guest's from now on.
    private void Adopt(long from, long to, string preallocation)
    {
        if (preallocation is "falloc" or "full")
        {
            Preallocating.Run(preallocation, "Failed to resize underlying file: ", Metadata.DataFile.HasFixedSize ? null : Metadata.DataFile, () => Metadata.DataFile.Allocate(from, to - from));
        }

        _zeroMode = null;
        WriteZeroBytes(from, to - from);
    }

    private void ResizeDataFile(long size)
    {
        try
        {
            Metadata.DataFile.SetLength(size);
        }
        catch (ImageException e)
        {
            throw e.In("Could not resize file");
        }
    }

    private void StoreSize(long size) => Tables.Guard(() =>
    {
        HeaderPatch.WriteVirtualSize(Metadata.File, size);
        Metadata.File.Flush();
        Metadata.Header = Metadata.Header with { VirtualSize = size };
    });

    // Everything that an L1 entry leads to loses the reference that it has from here.
    private void DropTable(int l1Index)
    {
        if (Tables.Find(l1Index) is not { } table)
        {
            return;
        }

        for (int index = 0; index < _layout.L2Entries; index++)
        {
            int word = index * _layout.L2EntryWords;
            int skip = table.Raw[word..].IndexOfAnyExcept(0UL);
            if (skip < 0)
            {
                break;
            }

            index += skip / _layout.L2EntryWords;
            Free(EntryOf(table, index, ((long)l1Index << _layout.L2TableShift) + ((long)index << _layout.ClusterBits)), discard: true);
        }

        Tables.Drop(l1Index);
    }
}
