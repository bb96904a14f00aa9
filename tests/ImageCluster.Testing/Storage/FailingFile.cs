using ImageCluster.Imaging;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Testing.Storage;

/// <summary>Fails when its plan says so.</summary>
public sealed class FailingFile(IBlockFile inner, FaultPlan plan) : DelegatingFile(inner)
{
    protected override void Before(StorageCall call, long offset, ReadOnlySpan<byte> data)
    {
        ImageException? failure = plan.Take(call, Name, data.Length, out int surviving);
        if (failure is null)
        {
            return;
        }

        if (plan.TearsBetweenPages)
        {
            surviving = (int)Math.Max(0, ((offset + surviving) / MemoryStore.BlockSize * MemoryStore.BlockSize) - offset);
        }

        if (surviving > 0)
        {
            Inner.Write(offset, data[..surviving]);
        }

        throw failure;
    }
}
