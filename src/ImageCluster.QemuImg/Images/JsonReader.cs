using System.Globalization;
using System.Text;

namespace ImageCluster.QemuImg.Images;

/// <summary>
/// Reads JSON as QEMU takes it: strings may stand in single quotes too. Objects become <c>Dictionary&lt;string, object?&gt;</c>, arrays
/// <c>List&lt;object?&gt;</c>, numbers long or double. Complaints are <see cref="FormatException"/>s in QEMU's words.
/// </summary>
internal sealed class JsonReader
{
    private const int MaxDepth = 1024;

    private readonly string _text;
    private int _at;

    private JsonReader(string text) => _text = text;

    public static object? Parse(string text)
    {
        if (string.IsNullOrWhiteSpace(text))
        {
            throw new FormatException("Expecting a JSON value");
        }

        JsonReader reader = new(text);
        object? value = reader.ReadValue(0);
        reader.SkipBlanks();
        return reader._at == text.Length ? value : throw new FormatException("Expecting at most one JSON value");
    }

    private object? ReadValue(int depth)
    {
        if (depth > MaxDepth)
        {
            throw new FormatException("JSON nesting depth limit exceeded");
        }

        char c = Peek();
        return c switch
        {
            '{' => ReadObject(depth),
            '[' => ReadArray(depth),
            '"' or '\'' => ReadString(),
            '}' or ']' or ',' or ':' => throw NoValue(),
            '-' or (>= '0' and <= '9') => ReadNumber(),
            _ => ReadWord(),
        };
    }

    private Dictionary<string, object?> ReadObject(int depth)
    {
        Dictionary<string, object?> members = [];
        _at++;
        if (TryTake('}'))
        {
            return members;
        }

        do
        {
            if (Peek() is not ('"' or '\''))
            {
                throw Peek() is '}' or ']' or ',' or ':' ? NoValue() : new FormatException("JSON parse error, key is not a string in object");
            }

            string key = ReadString();
            if (!TryTake(':'))
            {
                throw Wrong("JSON parse error, missing : in object pair");
            }

            if (!members.TryAdd(key, ReadValue(depth + 1)))
            {
                throw new FormatException("JSON parse error, duplicate key");
            }
        }
        while (TryTake(','));

        return TryTake('}') ? members : throw Wrong("JSON parse error, expected separator in dict");
    }

    private List<object?> ReadArray(int depth)
    {
        List<object?> items = [];
        _at++;
        if (TryTake(']'))
        {
            return items;
        }

        do
        {
            items.Add(ReadValue(depth + 1));
        }
        while (TryTake(','));

        return TryTake(']') ? items : throw Wrong("JSON parse error, expected separator in list");
    }

    private string ReadString()
    {
        char quote = _text[_at++];
        StringBuilder value = new();
        while (true)
        {
            char c = Next();
            if (c == quote)
            {
                return value.ToString();
            }

            if (c < ' ')
            {
                throw new FormatException("JSON parse error, stray '" + c + "'");
            }

            value.Append(c == '\\' ? ReadEscape() : c);
        }
    }

    private char ReadEscape()
    {
        char c = Next();
        switch (c)
        {
            case '"' or '\'' or '\\' or '/': return c;
            case 'b': return '\b';
            case 'f': return '\f';
            case 'n': return '\n';
            case 'r': return '\r';
            case 't': return '\t';
            case 'u' when _at + 4 <= _text.Length
                && ushort.TryParse(_text.AsSpan(_at, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ushort code):
                _at += 4;
                return (char)code;
            default:
                throw new FormatException("JSON parse error, invalid escape sequence in string");
        }
    }

    private object ReadNumber()
    {
        int start = _at;
        while (_at < _text.Length && (char.IsAsciiLetterOrDigit(_text[_at]) || _text[_at] is '-' or '+' or '.'))
        {
            _at++;
        }

        ReadOnlySpan<char> number = _text.AsSpan(start, _at - start);
        if (long.TryParse(number, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long integer))
        {
            return integer;
        }

        return double.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out double real)
            ? real
            : throw new FormatException($"JSON parse error, stray '{number}'");
    }

    private object? ReadWord()
    {
        int start = _at;
        while (_at < _text.Length && char.IsAsciiLetterLower(_text[_at]))
        {
            _at++;
        }

        return _text[start.._at] switch
        {
            "true" => true,
            "false" => false,
            "null" => null,
            "" => throw Wrong($"JSON parse error, stray '{_text[start]}'"),
            var word => throw new FormatException($"JSON parse error, invalid keyword '{word}'"),
        };
    }

    private char Next() => _at < _text.Length ? _text[_at++] : throw new FormatException("JSON parse error, premature EOI");

    private char Peek()
    {
        SkipBlanks();
        return _at < _text.Length ? _text[_at] : throw new FormatException("JSON parse error, premature EOI");
    }

    private bool TryTake(char c)
    {
        if (Peek() != c)
        {
            return false;
        }

        _at++;
        return true;
    }

    private void SkipBlanks()
    {
        while (_at < _text.Length && _text[_at] is ' ' or '\t' or '\n' or '\r')
        {
            _at++;
        }
    }

    private static FormatException NoValue() => new("JSON parse error, expecting value");

    private FormatException Wrong(string message) => new(_at < _text.Length ? message : "JSON parse error, premature EOI");
}
