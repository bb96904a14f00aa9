using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow;

/// <summary>Makes empty images, as qemu-img lays them out.</summary>
internal static class QcowCreator
{
    public static void Create(CreateRequest request)
    {
        if (request.Options.GetValueOrDefault("backing_fmt") is { } format && !BackingDrivers.IsBuiltIn(format))
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, request.FileName, $"unrecognized backing format '{format}'");
        }

        QcowLayout layout = new(request);
        using IBlockFile file = CreateFile(request, layout);
        file.Write(0, layout.Header.Encode());
    }

    /// <summary>Creates the file with an empty L1 table, but without the header.</summary>
    public static IBlockFile CreateFile(CreateRequest request, QcowLayout layout) => NewImageFile.Create(request, QcowLayout.FileLength(layout.Header));
}
