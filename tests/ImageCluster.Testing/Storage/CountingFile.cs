using ImageCluster.Imaging.Storage;

namespace ImageCluster.Testing.Storage;

/// <summary>Counts the calls that pass.</summary>
public sealed class CountingFile(IBlockFile inner, CallCounts counts) : DelegatingFile(inner)
{
    protected override void Before(StorageCall call, long offset, ReadOnlySpan<byte> data) => counts.Add(call, data.Length);
}
