using System.Buffers;
using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Parallels;

/// <summary>
/// Checks the table: clusters outside the file, clusters that two entries share (which qemu-img finds from 8.1 on), room behind the last one.
/// </summary>
internal sealed class ParallelsChecker(IBlockFile file, ParallelsHeader header, ParallelsBlockMap map)
{
    private const int CopyLength = 1 << 20;

    private readonly CheckReport _report = new();
    private readonly SparseBits _used = new();

    public CheckReport Check(CheckRepair repair, bool isUnclean)
    {
        map.FindEnd();
        bool fixErrors = repair.HasFlag(CheckRepair.Errors);
        if (isUnclean)
        {
            Found(fixErrors, "image was not closed correctly");
        }

        _report.TotalClusters = map.Count;
        long highest = CheckEntries(fixErrors);
        if (fixErrors)
        {
            file.Flush();
            map.WriteBack();
            map.FindEnd();
        }

        _report.ImageEndOffset = highest + map.BlockSize;
        CheckLeak(repair.HasFlag(CheckRepair.Leaks));
        return _report;
    }

    private long CheckEntries(bool repair)
    {
        long length = file.Length;
        long highest = (long)header.DataOffset * ParallelsHeader.SectorSize - map.BlockSize;
        long previous = 0;
        long copied = 0;
        for (long block = 0; block < map.Count; block++)
        {
            long host = map.HostOf(block);
            // A cluster that the file holds in part is kept: what is there is the guest's.
            if (host != 0 && host >= length)
            {
                Found(repair, $"cluster {block} is outside image");
                if (repair)
                {
                    map.Clear(block);
                    host = 0;
                }
            }

            if (host == 0)
            {
                previous = 0;
                continue;
            }

            if (!_used.Add(host / header.EntryUnit))
            {
                // A table in which all entries are one would ask for copies without end: a repair doubles the file at most.
                bool copy = repair && (copied += map.BlockSize) <= length;
                Found(copy, $"duplicate offset in BAT entry {block}");
                host = copy ? Copy(block, host) : host;
            }

            _report.AllocatedClusters++;
            highest = Math.Max(highest, host);
            _report.FragmentedClusters += previous != 0 && previous + map.BlockSize != host ? 1 : 0;
            previous = host;
        }

        return highest;
    }

    // The second entry for a cluster gets a copy of its own.
    private long Copy(long block, long from)
    {
        map.Clear(block);
        long to = map.Claim(block);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(CopyLength);
        try
        {
            for (long at = 0; at < map.BlockSize; at += CopyLength)
            {
                Span<byte> part = buffer.AsSpan(0, (int)Math.Min(CopyLength, map.BlockSize - at));
                file.ReadPadded(from + at, part);
                file.Write(to + at, part);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        _used.Add(to / header.EntryUnit);
        return to;
    }

    private void CheckLeak(bool repair)
    {
        // QEMU counts files in whole sectors.
        long excess = ((file.Length + ParallelsHeader.SectorSize - 1) & -ParallelsHeader.SectorSize) - _report.ImageEndOffset;
        if (excess <= 0)
        {
            return;
        }

        // Where there is a format extension it may stand there.
        repair &= header.ExtensionOffset == 0 && file.CanResize;
        long clusters = (excess + map.BlockSize - 1) / map.BlockSize;
        _report.Leaks += clusters;
        _report.Say($"{(repair ? "Repairing" : "ERROR")} space leaked at the end of the image {excess}");
        if (repair)
        {
            file.SetLength(_report.ImageEndOffset);
            _report.LeaksFixed += clusters;
        }
    }

    private void Found(bool repair, string what)
    {
        _report.Corruptions++;
        _report.CorruptionsFixed += repair ? 1 : 0;
        _report.Say($"{(repair ? "Repairing" : "ERROR")} {what}");
    }
}
