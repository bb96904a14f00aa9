using System.Text;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.QemuImg.CommandLine;

/// <summary>
/// Standard output or error: buffered like C's, names of files byte for byte as they are (<see cref="NameText"/>). What cannot be written does
/// not end a command that works on images; it is told by <see cref="Failure"/>.
/// </summary>
/// <param name="stream">Where it goes.</param>
/// <param name="isBuffered">What is printed may wait for more.</param>
internal sealed class StandardStream(Stream stream, bool isBuffered) : TextWriter
{
    private const int Room = 4096;

    private readonly StringBuilder _text = new();
    private bool _isGone;

    public override Encoding Encoding => Encoding.UTF8;

    /// <summary>What the system said of the first write that failed; null where all was written, or nobody wanted it.</summary>
    public string? Failure { get; private set; }

    public override void Write(char value)
    {
        _text.Append(value);
        FlushWhenFull();
    }

    public override void Write(ReadOnlySpan<char> buffer)
    {
        _text.Append(buffer);
        FlushWhenFull();
    }

    public override void Write(char[] buffer, int index, int count) => Write(buffer.AsSpan(index, count));

    public override void Write(string? value) => Write(value.AsSpan());

    public override void Flush()
    {
        try
        {
            if (!_isGone)
            {
                stream.Write(NameText.GetBytes(_text.ToString()));
                stream.Flush();
            }
        }
        catch (IOException e)
        {
            (_isGone, Failure) = (true, e.Message);
        }
        catch (UnauthorizedAccessException)
        {
            // The program was started without it (EBADF).
            _isGone = true;
        }

        _text.Clear();
    }

    protected override void Dispose(bool disposing)
    {
        Flush();
        base.Dispose(disposing);
    }

    // A character of two parts is written whole.
    private void FlushWhenFull()
    {
        if ((!isBuffered || _text.Length >= Room) && _text.Length > 0 && !char.IsHighSurrogate(_text[^1]))
        {
            Flush();
        }
    }
}
