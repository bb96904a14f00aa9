using System.Buffers;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.BlockTables;

/// <summary>A compressed block of a file, of formats whose tables say how long each is.</summary>
internal static class PackedBlock
{
    /// <summary>Reads a block and inflates it into new bytes.</summary>
    /// <param name="what">The block, for the message where the file ends before it.</param>
    /// <param name="offset">Where it stands in the file, bytes.</param>
    /// <param name="packedLength">Bytes that it has in the file.</param>
    /// <param name="length">Bytes that it inflates to; bounded by the caller.</param>
    /// <exception cref="ImageException">The file does not hold it; or what <paramref name="inflate"/> throws.</exception>
    public static byte[] Inflate(
        IBlockFile file, string fileName, string what, long offset, int packedLength, int length, Action<ReadOnlySpan<byte>, Span<byte>> inflate)
    {
        // Before memory is taken for it: a table can claim what the file does not hold.
        if (offset > file.Length - packedLength)
        {
            throw new ImageException(ImageErrorKind.Truncated, fileName,
                $"Image is truncated: {what} at offset {offset:#,0} needs {packedLength:#,0} bytes, the file ends at {file.Length:#,0}");
        }

        byte[] packed = ArrayPool<byte>.Shared.Rent(packedLength);
        try
        {
            byte[] bytes = new byte[length];
            file.ReadExactly(offset, packed.AsSpan(0, packedLength), what);
            inflate(packed.AsSpan(0, packedLength), bytes);
            return bytes;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(packed);
        }
    }
}
