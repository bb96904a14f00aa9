namespace ImageCluster.Imaging.Formats.Dmg;

/// <summary>
/// Inflates Apple Data Compression, which the oldest images use: literals, and matches that reach 1 to 65,536 bytes back. The first byte of each says
/// which: 1xxxxxxx x + 1 literals; 01xxxxxx x + 4 bytes from the distance in the next two; 00xxxxdd x + 3 bytes from the distance in d and the next.
/// </summary>
internal static class AdcDecoder
{
    /// <summary>Fills <paramref name="target"/>; a stream that is longer, shorter or damaged is an error.</summary>
    public static void Decompress(ReadOnlySpan<byte> source, Span<byte> target, string? file)
    {
        int written = 0;
        while (source.Length > 0)
        {
            byte code = source[0];
            bool isLiteral = (code & 0x80) != 0;
            bool isLong = (code & 0x40) != 0;
            int length = isLiteral ? (code & 0x7f) + 1 : isLong ? (code & 0x3f) + 4 : (code >> 2) + 3;
            int used = isLiteral ? 1 + length : isLong ? 3 : 2;
            if (used > source.Length)
            {
                throw Damaged(file, "it is cut short");
            }

            if (length > target.Length - written)
            {
                throw Damaged(file, "it holds more than the chunk");
            }

            if (isLiteral)
            {
                source.Slice(1, length).CopyTo(target[written..]);
            }
            else
            {
                int distance = 1 + (isLong ? source[1] << 8 | source[2] : (code & 3) << 8 | source[1]);
                if (distance > written)
                {
                    throw Damaged(file, "it refers to what is before its start");
                }

                // Byte by byte: a match may run into what it makes.
                for (int i = written; i < written + length; i++)
                {
                    target[i] = target[i - distance];
                }
            }

            written += length;
            source = source[used..];
        }

        if (written != target.Length)
        {
            throw Damaged(file, $"it ends after {written:#,0} of {target.Length:#,0} bytes");
        }
    }

    private static ImageException Damaged(string? file, string what) =>
        new(ImageErrorKind.Corrupt, file, $"Compressed chunk cannot be inflated: {what}");
}
