using ImageCluster.Imaging.Compression;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>What <see cref="Opener"/> found; belongs to the layer that is made of it.</summary>
/// <param name="Context">What was opened.</param>
/// <param name="Place">Where the descriptor stands.</param>
/// <param name="Descriptor">What it says.</param>
/// <param name="CreateType">The subformat as <c>info</c> names it.</param>
/// <param name="Extents">In guest order, without gaps.</param>
/// <param name="Codec">Zlib, where an extent is compressed.</param>
internal sealed record OpenedDisk(
    OpenContext Context, DescriptorPlace Place, Descriptor Descriptor, string CreateType, IReadOnlyList<VmdkExtent> Extents, IClusterCodec? Codec)
    : IDisposable
{
    public void Dispose()
    {
        foreach (VmdkExtent extent in Extents)
        {
            extent.Dispose();
        }

        Codec?.Dispose();
        Context.File.Dispose();
    }
}
