using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qed;

/// <summary>
/// Checks that every cluster is referred to once. As in qemu-img, repairing drops entries that point nowhere; clusters that two
/// entries share, and leaks, stay as they are.
/// </summary>
internal sealed class QedChecker(IBlockFile file, QedHeader header, ClusterTables tables)
{
    private readonly CheckReport _report = new();
    private readonly SparseBits _used = new();
    private readonly long _fileLength = file.Length;

    public CheckReport Check(bool repair)
    {
        _report.TotalClusters = (header.ImageSize + header.ClusterSize - 1) / header.ClusterSize;
        Use(header.L1TableOffset, header.TableSize, "L1 table");
        for (long i = 0; i < header.TableEntries; i++)
        {
            ulong entry = tables.L1Entry(i);
            if (entry == 0)
            {
                continue;
            }

            if (!header.IsTableOffset(entry, _fileLength))
            {
                Wrong($"L1 entry {i}: L2 table offset 0x{entry:x} is invalid", repair);
                if (repair)
                {
                    tables.SetL1Entry(i, 0);
                }
            }
            else if (Use(entry, header.TableSize, $"L2 table of L1 entry {i}"))
            {
                CheckTable((long)entry, repair);
            }
        }

        long clusters = _fileLength / header.ClusterSize;
        _report.Leaks += Math.Max(0, clusters - header.HeaderSize - _used.Count);
        return _report;
    }

    private void CheckTable(long table, bool repair)
    {
        ulong last = 0;
        for (long i = 0; i < header.TableEntries; i++)
        {
            ulong entry = tables.L2Entry(table, i);
            if (entry <= 1)
            {
                continue;
            }

            _report.AllocatedClusters++;
            if (last != 0 && last + header.ClusterSize != entry)
            {
                _report.FragmentedClusters++;
            }

            last = entry;
            if (header.IsClusterOffset(entry, _fileLength))
            {
                Use(entry, 1, $"data cluster of L2 entry {i}");
                continue;
            }

            Wrong($"L2 entry {i} of the table at 0x{table:x}: data cluster offset 0x{entry:x} is invalid", repair);
            if (repair)
            {
                tables.SetL2Entry(table, i, 0);
            }
        }
    }

    // An entry that is dropped counts as repaired only, as qemu-img has it.
    private void Wrong(string message, bool repair)
    {
        if (repair)
        {
            _report.CorruptionsFixed++;
        }
        else
        {
            _report.Corruptions++;
        }

        _report.Say($"{(repair ? "Repairing" : "ERROR")} {message}");
    }

    private bool Use(ulong offset, uint clusters, string what)
    {
        bool isFree = true;
        for (uint i = 0; i < clusters; i++)
        {
            if (!_used.Add((long)(offset / header.ClusterSize) + i))
            {
                isFree = false;
                _report.Corruptions++;
                _report.Say($"ERROR {what}: cluster at 0x{offset + i * (ulong)header.ClusterSize:x} is used twice");
            }
        }

        return isFree;
    }
}
