using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>
/// QEMU's check of vmdk: does every grain that a table names start within its file? It stops at the first that does not, and
/// repairs nothing.
/// </summary>
internal static class Checker
{
    public static CheckReport Check(Reader disk, CheckRepair repair)
    {
        if (repair != CheckRepair.None)
        {
            throw new ImageException(ImageErrorKind.Unsupported, disk.FileName, "This image format does not support checks");
        }

        CheckReport report = new();
        foreach (VmdkExtent extent in disk.Extents)
        {
            if (extent is FlatExtent flat && flat.FileOffset >= flat.File!.Length)
            {
                Stop(report, PastEnd(flat.Start), "Invalid argument");
                break;
            }

            if (extent is SparseExtent sparse && !CheckSparse(sparse, report))
            {
                break;
            }
        }

        return report;
    }

    private static bool CheckSparse(SparseExtent extent, CheckReport report)
    {
        long fileLength = extent.File!.Length;
        long tableBytes = extent.Directory.EntriesPerTable * extent.GrainBytes;
        for (long number = 0; number < extent.Directory.TableCount; number++)
        {
            long guest = extent.Start + (number * tableBytes);
            try
            {
                if (extent.Directory.Find(number) is not { } table)
                {
                    number += extent.Directory.CountMissing(number, extent.Directory.TableCount) - 1;
                    continue;
                }

                for (int entry = 0; entry < table.Count && guest < extent.End; entry++, guest += extent.GrainBytes)
                {
                    if (table[entry] >= fileLength)
                    {
                        Stop(report, PastEnd(guest), "Invalid argument");
                        return false;
                    }

                    if (table[entry] == GrainTable.Invalid)
                    {
                        Stop(report, NoOffset(guest), "Operation not permitted");
                        return false;
                    }
                }
            }
            catch (ImageException e) when (e.Kind is ImageErrorKind.Truncated or ImageErrorKind.Corrupt)
            {
                Stop(report, NoOffset(guest), "Operation not permitted");
                return false;
            }
        }

        return true;
    }

    private static void Stop(CheckReport report, string message, string failure)
    {
        report.Messages.Add(message);
        report.Corruptions++;
        report.Failure = failure;
    }

    private static string PastEnd(long guest) => $"ERROR: cluster offset for sector {guest / VmdkLimits.SectorSize} points after EOF";

    private static string NoOffset(long guest) => $"ERROR: could not get cluster_offset for sector {guest / VmdkLimits.SectorSize}";
}
