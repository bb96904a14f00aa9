using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace ImageCluster.Imaging.Storage;

/// <summary>
/// Text that is bytes to the system and to images: names of files, and names in headers. It is UTF-8 by habit only, so that each byte that is not is
/// kept, as a lone surrogate from U+DC80 to U+DCFF (the way of Python's PEP 383): what was read is written back byte for byte.
/// </summary>
public static class NameText
{
    private const int Escape = 0xdc00;

    public static string GetString(ReadOnlySpan<byte> bytes)
    {
        if (Utf8.IsValid(bytes))
        {
            return Encoding.UTF8.GetString(bytes);
        }

        StringBuilder text = new();
        while (!bytes.IsEmpty)
        {
            bool isValid = Rune.DecodeFromUtf8(bytes, out Rune rune, out int length) == OperationStatus.Done;
            if (isValid)
            {
                text.Append(rune.ToString());
            }
            else
            {
                foreach (byte b in bytes[..length])
                {
                    text.Append((char)(Escape + b));
                }
            }

            bytes = bytes[length..];
        }

        return text.ToString();
    }

    public static byte[] GetBytes(string text) => GetBytes(text.AsSpan());

    public static byte[] GetBytes(ReadOnlySpan<char> text)
    {
        byte[] bytes = new byte[GetByteCount(text)];
        GetBytes(text, bytes);
        return bytes;
    }

    public static int GetByteCount(ReadOnlySpan<char> text)
    {
        int count = 0;
        while (!text.IsEmpty)
        {
            count += Next(text, out Rune rune, out int length) ? 1 : rune.Utf8SequenceLength;
            text = text[length..];
        }

        return count;
    }

    /// <summary>Encodes into a buffer that has room for <see cref="GetByteCount"/>; returns that.</summary>
    public static int GetBytes(ReadOnlySpan<char> text, Span<byte> bytes)
    {
        int at = 0;
        while (!text.IsEmpty)
        {
            if (Next(text, out Rune rune, out int length))
            {
                bytes[at++] = (byte)(text[0] - Escape);
            }
            else
            {
                at += rune.EncodeToUtf8(bytes[at..]);
            }

            text = text[length..];
        }

        return at;
    }

    /// <summary>False where it holds bytes that are not UTF-8: only this machine and its images know such a name.</summary>
    public static bool IsUtf8(string text)
    {
        for (ReadOnlySpan<char> rest = text; !rest.IsEmpty;)
        {
            if (Next(rest, out _, out int length))
            {
                return false;
            }

            rest = rest[length..];
        }

        return true;
    }

    /// <summary>For where text must be text: bytes that are not UTF-8 become the sign for what cannot be said.</summary>
    public static string Plain(string text) => Encoding.UTF8.GetString(GetBytes(text));

    // True for a byte that is kept; any other lone surrogate becomes the sign for what cannot be said.
    private static bool Next(ReadOnlySpan<char> text, out Rune rune, out int length)
    {
        bool isValid = Rune.DecodeFromUtf16(text, out rune, out length) == OperationStatus.Done;
        return !isValid && text[0] is >= (char)(Escape + 0x80) and <= (char)(Escape + 0xff);
    }
}
