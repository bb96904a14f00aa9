using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <content>Whole clusters, and what stands in place already, that the storage brings by itself.</content>
internal sealed partial class WritableQcow2Image
{
    public int WriteCopied(long offset, int length, RangeCopier copy)
    {
        CheckRange(offset, length);
        if (Cipher is not null)
        {
            return 0;
        }

        EnterShared();
        try
        {
            int done = 0;
            for (int part = -1; done < length && part != 0; done += part)
            {
                part = CopySome(offset + done, length - done, copy);
            }

            return done;
        }
        finally
        {
            ExitShared();
        }
    }

    // Copies as much of the start as is all alike; 0 where it must be written.
    private int CopySome(long offset, int length, RangeCopier copy)
    {
        Plan plan;
        lock (_gate)
        {
            Tables.Begin(offset, length);
            plan = MakePlan(offset, length);
        }

        bool isCopied = false;
        try
        {
            isCopied = plan.Target != Target.Part && copy(offset, plan.Length, Metadata.DataFile, plan.Host);
        }
        finally
        {
            if (!isCopied)
            {
                ReleaseRoom(plan);
            }
        }

        if (!isCopied)
        {
            return 0;
        }

        if (plan.Target != Target.InPlace)
        {
            lock (_gate)
            {
                Tables.ThrowIfFailed();
                Publish(plan, offset);
            }
        }

        return plan.Length;
    }

    // Nothing points to the room: it is simply free again.
    private void ReleaseRoom(in Plan plan)
    {
        if (plan.IsNewRoom && !Metadata.HasDataFile)
        {
            lock (_gate)
            {
                Tables.Allocator.Release(plan.Host, (long)plan.Clusters << _layout.ClusterBits);
            }
        }
    }
}
