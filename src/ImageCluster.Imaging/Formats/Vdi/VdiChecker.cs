using System.Buffers;
using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vdi;

/// <summary>
/// Checks the block map. qemu-img only finds; this also repairs. Leaks (blocks of the file that nothing refers to, which qemu-img does
/// not look for) are closed by moving the last blocks into the gaps, since the format counts blocks from the first without gaps.
/// </summary>
internal sealed class VdiChecker(IBlockFile file, VdiBlockMap map)
{
    // So many entries are repaired in one go; the next check finds the rest.
    private const int MaxRepairs = 1 << 20;

    private readonly CheckReport _report = new();
    private readonly SparseBits _used = new();
    private readonly List<(long Block, uint Entry)> _broken = [];

    public CheckReport Check(CheckRepair repair)
    {
        map.RequireWhole();
        long allocated = FindBroken();
        if (_broken.Count > 0 && repair.HasFlag(CheckRepair.Errors))
        {
            allocated = RepairBroken();
        }

        if (allocated != map.CountInHeader)
        {
            _report.Corruptions++;
            _report.Say($"ERROR: allocated blocks mismatch, is {allocated}, should be {map.CountInHeader}");
            if (repair.HasFlag(CheckRepair.Errors))
            {
                // Never below what is in use, or the next block would be taken twice; gaps are leaks.
                map.WriteCount((uint)Math.Max(allocated, HighestUsed() + 1));
                _report.CorruptionsFixed++;
            }
        }

        CheckLeaks(repair.HasFlag(CheckRepair.Leaks) && _report.Corruptions == _report.CorruptionsFixed);
        return _report;
    }

    // Blocks whose data the file holds, whole or begun.
    private long BlocksInFile => Math.Max(0, (file.Length - map.HostOf(0) + VdiHeader.BlockSize - 1) / VdiHeader.BlockSize);

    private long FindBroken()
    {
        long allocated = 0;
        for (long block = 0; block < map.Count; block++)
        {
            uint entry = map[block];
            if (entry >= VdiHeader.Discarded)
            {
                continue;
            }

            if (entry >= map.Count)
            {
                Broken(block, entry, $"ERROR: block index {block} too large, is {entry}");
                continue;
            }

            allocated++;
            if (!_used.Add(entry))
            {
                Broken(block, entry, $"ERROR: block index {entry} also used by {entry}");
            }
        }

        return allocated;
    }

    private void Broken(long block, uint entry, string message)
    {
        _report.Corruptions++;
        _report.Say(message);
        if (_broken.Count < MaxRepairs)
        {
            _broken.Add((block, entry));
        }
    }

    // A block that two entries share gets a copy for the second; one that the file does not hold reads as zeros from now on.
    private long RepairBroken()
    {
        foreach ((long block, _) in _broken)
        {
            map[block] = VdiHeader.Unallocated;
        }

        // A map in which all entries are one would ask for copies without end: a repair doubles the file at most.
        long inFile = BlocksInFile;
        long copies = 0;
        foreach ((long block, uint entry) in _broken)
        {
            if (entry < inFile && copies++ >= inFile)
            {
                map[block] = entry;
                continue;
            }

            if (entry < inFile)
            {
                long host = map.Claim(block);
                Copy(map.HostOf(entry), host);
                _used.Add(map[block]);
            }

            _report.CorruptionsFixed++;
        }

        file.Flush();
        map.WriteBack();
        return _used.Count;
    }

    private void CheckLeaks(bool repair)
    {
        if (!file.CanResize)
        {
            return;
        }

        long whole = Math.Max(0, (file.Length - map.HostOf(0)) / VdiHeader.BlockSize);
        long leaks = whole - _used.CountBelow(whole);
        if (leaks == 0)
        {
            return;
        }

        _report.Leaks += leaks;
        _report.Say($"{(repair ? "Repairing" : "ERROR")} {leaks} leaked blocks");
        if (repair)
        {
            CloseGaps();
            _report.LeaksFixed += leaks;
        }
    }

    // Data first, then the entry, then the count, and the file is cut last: a crash in between leaves what the next check repairs.
    private void CloseGaps()
    {
        long count = _used.Count;
        Queue<long> gaps = new();
        for (long index = 0; index < count; index++)
        {
            if (!_used.Contains(index))
            {
                gaps.Enqueue(index);
            }
        }

        for (long block = 0; block < map.Count && gaps.Count > 0; block++)
        {
            uint entry = map[block];
            if (entry < VdiHeader.Discarded && entry >= count)
            {
                long gap = gaps.Dequeue();
                Copy(map.HostOf(entry), map.HostOf(gap));
                map[block] = (uint)gap;
            }
        }

        file.Flush();
        map.WriteBack();
        map.WriteCount((uint)count);
        file.Flush();
        file.SetLength(map.HostOf(count));
    }

    private void Copy(long from, long to)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(VdiHeader.BlockSize);
        try
        {
            Span<byte> block = buffer.AsSpan(0, VdiHeader.BlockSize);
            file.ReadPadded(from, block);
            file.Write(to, block);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private long HighestUsed()
    {
        long highest = -1;
        for (long block = 0; block < map.Count; block++)
        {
            uint entry = map[block];
            highest = entry < VdiHeader.Discarded ? Math.Max(highest, entry) : highest;
        }

        return highest;
    }
}
