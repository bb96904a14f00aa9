namespace ImageCluster.Imaging.Formats.BlockTables;

/// <summary>What formats that are only read do alike.</summary>
internal static class ReadOnlyFormat
{
    /// <summary>Opens a layer for reading; owns the file also where that fails.</summary>
    public static IImageLayer Open(OpenContext context, Func<OpenContext, IImageLayer> open)
    {
        try
        {
            return context.Write
                ? throw new ImageException(ImageErrorKind.ReadOnlyFormat, context.FileName, "Image is read-only")
                : open(context);
        }
        catch
        {
            context.File.Dispose();
            throw;
        }
    }
}
