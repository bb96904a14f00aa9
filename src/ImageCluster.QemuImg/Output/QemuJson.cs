using System.Globalization;

namespace ImageCluster.QemuImg.Output;

/// <summary>Prints values as QEMU's pretty JSON: four spaces a level, ASCII only.</summary>
internal static class QemuJson
{
    /// <summary>Writes a <see cref="QDict"/>, list, string, number or bool, over several lines, without a line end behind it.</summary>
    public static void Write(TextWriter writer, object value) => Write(writer, value, 0);

    /// <summary>Writes a value on one line, as QEMU writes <c>json:</c> file names.</summary>
    public static void WriteCompact(TextWriter writer, object value)
    {
        switch (value)
        {
            case QDict dict:
                string separator = "{";
                foreach ((string key, object inner) in dict)
                {
                    writer.Write(separator);
                    WriteString(writer, key);
                    writer.Write(": ");
                    WriteCompact(writer, inner);
                    separator = ", ";
                }

                writer.Write(dict.Count == 0 ? "{}" : "}");
                break;
            case IReadOnlyList<object> list:
                for (int i = 0; i < list.Count; i++)
                {
                    writer.Write(i == 0 ? "[" : ", ");
                    WriteCompact(writer, list[i]);
                }

                writer.Write(list.Count == 0 ? "[]" : "]");
                break;
            default:
                Write(writer, value, 0);
                break;
        }
    }

    /// <summary>Writes a string with quotes and escapes.</summary>
    public static void WriteString(TextWriter writer, string text)
    {
        writer.Write('"');
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            switch (c)
            {
                case '"': writer.Write("\\\""); break;
                case '\\': writer.Write("\\\\"); break;
                case '\b': writer.Write("\\b"); break;
                case '\f': writer.Write("\\f"); break;
                case '\n': writer.Write("\\n"); break;
                case '\r': writer.Write("\\r"); break;
                case '\t': writer.Write("\\t"); break;
                case >= ' ' and < '\x7f': writer.Write(c); break;

                // JSON is text: a byte of a name that is not UTF-8 cannot be in it.
                case >= '\udc80' and <= '\udcff' when i == 0 || !char.IsHighSurrogate(text[i - 1]): writer.Write("\\uFFFD"); break;
                default: writer.Write(string.Create(CultureInfo.InvariantCulture, $"\\u{(int)c:X4}")); break;
            }
        }

        writer.Write('"');
    }

    private static void Write(TextWriter writer, object value, int level)
    {
        switch (value)
        {
            case QDict dict:
                WriteItems(writer, '{', '}', dict, level, static (w, entry, inner) =>
                {
                    WriteString(w, entry.Key);
                    w.Write(": ");
                    Write(w, entry.Value, inner);
                });
                break;
            case IEnumerable<object> list:
                WriteItems(writer, '[', ']', list, level, Write);
                break;
            case string text:
                WriteString(writer, text);
                break;
            case bool flag:
                writer.Write(flag ? "true" : "false");
                break;
            default:
                writer.Write(Convert.ToString(value, CultureInfo.InvariantCulture));
                break;
        }
    }

    private static void WriteItems<T>(TextWriter writer, char open, char close, IEnumerable<T> items, int level, Action<TextWriter, T, int> write)
    {
        writer.Write(open);
        bool any = false;
        foreach (T item in items)
        {
            writer.Write(any ? ",\n" : "\n");
            any = true;
            Indent(writer, level + 1);
            write(writer, item, level + 1);
        }

        writer.Write('\n');
        Indent(writer, level);
        writer.Write(close);
    }

    private static void Indent(TextWriter writer, int level)
    {
        for (int i = 0; i < level; i++)
        {
            writer.Write("    ");
        }
    }
}
