using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Parallels;

/// <summary>Makes empty images, as qemu-img lays them out.</summary>
internal static class ParallelsCreator
{
    public static void Create(CreateRequest request)
    {
        ParallelsLayout layout = new(request);
        using IBlockFile file = CreateFile(request, layout);
        file.Write(0, layout.Header.Encode());
    }

    /// <summary>Creates the file with an empty table, but without the header.</summary>
    public static IBlockFile CreateFile(CreateRequest request, ParallelsLayout layout) => NewImageFile.Create(request, layout.FirstCluster);
}
