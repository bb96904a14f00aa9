using ImageCluster.Imaging.Formats;

namespace ImageCluster.Imaging.Storage;

/// <summary>
/// A new image on what is there already and keeps its length, a device or an export: as QEMU does where a driver cannot create
/// (block.c: <c>bdrv_create_file_fallback</c>).
/// </summary>
internal static class StandingTarget
{
    private const int SectorSize = 512;

    /// <summary>Opens it, sees that it is large enough and zeroes its first sector, lest an older image be found there.</summary>
    /// <param name="driver">QEMU's name of the driver.</param>
    /// <param name="length">Bytes that the image needs.</param>
    /// <param name="open">Opens it for writing.</param>
    public static T Take<T>(string driver, long length, Func<T> open)
        where T : IBlockFile
    {
        T file = Open(driver, open);
        try
        {
            file.SetLength(length);
            Step.Run("Failed to clear the new image's first sector", () => file.WriteZeroes(0, Math.Min(SectorSize, file.Length), ZeroMode.KeepAllocated));
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static T Open<T>(string driver, Func<T> open)
    {
        try
        {
            return open();
        }
        catch (ImageException e)
        {
            throw e.Saying($"Protocol driver '{driver}' does not support image creation, and opening the image failed: {e.Message}");
        }
    }
}
