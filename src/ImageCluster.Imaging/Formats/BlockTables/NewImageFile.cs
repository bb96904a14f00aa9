using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.BlockTables;

/// <summary>Makes the file of a new image.</summary>
internal static class NewImageFile
{
    /// <summary>Creates the file so that its first <paramref name="length"/> bytes read as zeros, on a device too.</summary>
    /// <param name="request">Names the file.</param>
    /// <param name="length">Bytes; a file is as long.</param>
    /// <param name="write">Writes what else must stand there from the start; where it fails, the file is closed.</param>
    public static IBlockFile Create(CreateRequest request, long length, Action<IBlockFile>? write = null)
    {
        IBlockFile file = request.Locator.Create(request.FileName, 0, request.Mode);
        try
        {
            if (file.CanResize)
            {
                file.SetLength(length);
            }
            else
            {
                file.WriteZeroes(0, length, ZeroMode.MayUnmap);
            }

            write?.Invoke(file);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }
}
