namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>Where the data clusters and L2 tables of a preallocated image stand. Offsets are cluster indexes.</summary>
/// <param name="Tables">The host cluster of each L2 table, in guest order.</param>
/// <param name="Runs">The data clusters in guest order: from guest cluster <c>Guest</c> on, at host cluster <c>Host</c> on, <c>Count</c> of them.</param>
/// <param name="DataEnd">The first host cluster behind the last of the data, or 0.</param>
internal sealed record PreallocatedClusters(long[] Tables, List<(long Guest, long Host, long Count)> Runs, long DataEnd);

/// <summary>Allocates every cluster of a new image, in QEMU's order.</summary>
internal static class Preallocator
{
    /// <param name="settings">What is being made.</param>
    /// <param name="layout">Its geometry.</param>
    /// <param name="space">Its clusters; header and L1 table are allocated already.</param>
    /// <param name="fileEnd">The first cluster behind what is allocated already.</param>
    public static PreallocatedClusters Allocate(CreateSettings settings, Layout layout, NewImageSpace space, long fileEnd)
    {
        long clusters = RefcountMath.DivideUp(settings.Header.VirtualSize, layout.ClusterSize);
        if (settings.DataFile is not null)
        {
            long[] tables = new long[settings.Header.L1Entries];
            for (int i = 0; i < tables.Length; i++)
            {
                tables[i] = space.Allocate(1);
            }

            return new PreallocatedClusters(tables, [(0, 0, clusters)], 0);
        }

        return settings.Preallocation == Preallocation.Metadata
            ? AllocateAsWritten(layout, space, clusters)
            : AllocateInOneRun(layout, space, clusters, fileEnd);
    }

    // As if the whole disk were written from its start (preallocate_co).
    private static PreallocatedClusters AllocateAsWritten(Layout layout, NewImageSpace space, long clusters)
    {
        long[] tables = new long[RefcountMath.DivideUp(clusters, layout.L2Entries)];
        List<(long Guest, long Host, long Count)> runs = [];
        long perRequest = int.MaxValue >> layout.ClusterBits;
        long guest = 0;
        while (guest < clusters)
        {
            long requestEnd = Math.Min(clusters, guest + perRequest);
            for (long next = -1; guest < requestEnd;)
            {
                ref long table = ref tables[guest >> layout.L2Bits];
                table = table == 0 ? space.Allocate(1) : table;
                long count = Math.Min(requestEnd - guest, layout.L2Entries - (guest & (layout.L2Entries - 1)));
                long host = next;
                if (next < 0)
                {
                    host = space.Allocate(count);
                }
                else if ((count = space.AllocateAt(next, count)) == 0)
                {
                    // The request's data must be contiguous; what is left is a request of its own.
                    break;
                }

                runs.Add((guest, host, count));
                guest += count;
                next = host + count;
            }
        }

        return new PreallocatedClusters(tables, runs, runs.Count == 0 ? 0 : runs[^1].Host + runs[^1].Count);
    }

    // All refcount blocks, then the data, then the L2 tables (qcow2_co_truncate).
    private static PreallocatedClusters AllocateInOneRun(Layout layout, NewImageSpace space, long clusters, long fileEnd)
    {
        long tableCount = RefcountMath.DivideUp(clusters, layout.L2Entries);
        long start = space.PlaceRefcountArea(fileEnd, clusters + tableCount + 2, exact: true);
        if (space.AllocateAt(start, clusters) != clusters)
        {
            throw new InvalidOperationException("The room behind the refcount blocks is free.");
        }

        long[] tables = new long[tableCount];
        for (int i = 0; i < tables.Length; i++)
        {
            tables[i] = space.Allocate(1);
        }

        return new PreallocatedClusters(tables, [(0, start, clusters)], start + clusters);
    }
}
