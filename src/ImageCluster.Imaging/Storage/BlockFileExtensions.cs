namespace ImageCluster.Imaging.Storage;

public static class BlockFileExtensions
{
    /// <summary>Fills <paramref name="buffer"/> or fails with <see cref="ImageErrorKind.Truncated"/>, naming <paramref name="what"/>.</summary>
    public static void ReadExactly(this IBlockFile file, long offset, Span<byte> buffer, string what)
    {
        int read = file.Read(offset, buffer);
        if (read < buffer.Length)
        {
            throw new ImageException(ImageErrorKind.Truncated, file.Name,
                $"Image is truncated: {what} at offset {offset:#,0} needs {buffer.Length:#,0} bytes, the file ends at {offset + read:#,0}");
        }
    }

    /// <summary>Fills <paramref name="buffer"/>; what lies past the end of the file reads as zeros, as QEMU's file layer has it.</summary>
    public static void ReadPadded(this IBlockFile file, long offset, Span<byte> buffer)
    {
        int read = file.Read(offset, buffer);
        buffer[read..].Clear();
    }
}
