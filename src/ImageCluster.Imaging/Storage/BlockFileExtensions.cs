namespace ImageCluster.Imaging.Storage;

public static class BlockFileExtensions
{
    private const int SectorSize = 512;
    private const int FirstBlock = 4096;

    /// <summary>
    /// Allocates the first block of a new file of <paramref name="length"/> bytes, as QEMU does with every file that it makes larger than 0
    /// at once: who opens the file with O_DIRECT finds out by reading that block what alignment the storage needs. Where there is no room for it the file
    /// is made all the same.
    /// </summary>
    public static void AllocateStart(this IBlockFile file, long length)
    {
        if (length > 0 && file.CanResize)
        {
            try
            {
                file.Write(0, new byte[length < FirstBlock ? SectorSize : FirstBlock]);
            }
            catch (ImageException)
            {
                // It makes another opening faster, no more.
            }
        }
    }

    /// <summary>Fills <paramref name="buffer"/> or fails with <see cref="ImageErrorKind.Truncated"/>, naming <paramref name="what"/>.</summary>
    public static void ReadExactly(this IBlockFile file, long offset, Span<byte> buffer, string what)
    {
        int read = file.Read(offset, buffer);
        if (read < buffer.Length)
        {
            throw new ImageException(ImageErrorKind.Truncated, file.Name,
                $"Image is truncated: {what} at offset {offset:#,0} needs {buffer.Length:#,0} bytes, the file ends at {(read > 0 ? offset + read : Math.Min(offset, file.Length)):#,0}");
        }
    }

    /// <summary>Fills <paramref name="buffer"/>; what lies past the end of the file reads as zeros, as QEMU's file layer has it.</summary>
    public static void ReadPadded(this IBlockFile file, long offset, Span<byte> buffer)
    {
        int read = file.Read(offset, buffer);
        buffer[read..].Clear();
    }
}
