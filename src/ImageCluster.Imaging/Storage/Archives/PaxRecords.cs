using System.Buffers.Text;
using System.Text;

namespace ImageCluster.Imaging.Storage.Archives;

/// <summary>The records of a pax header: <c>LENGTH KEYWORD=VALUE\n</c>, the length counting all of the record.</summary>
internal static class PaxRecords
{
    /// <summary>Adds the records to <paramref name="values"/>; an empty value takes a keyword back. False where they cannot be taken apart.</summary>
    public static bool TryRead(ReadOnlySpan<byte> text, Dictionary<string, string> values)
    {
        while (text.Length > 0)
        {
            if (!Utf8Parser.TryParse(text, out int length, out int digits) || length <= digits + 1 || length > text.Length
                || text[digits] != ' ' || text[length - 1] != '\n')
            {
                return false;
            }

            ReadOnlySpan<byte> record = text[(digits + 1)..(length - 1)];
            int equals = record.IndexOf((byte)'=');
            if (equals <= 0)
            {
                return false;
            }

            string keyword = Encoding.UTF8.GetString(record[..equals]);
            if (equals == record.Length - 1)
            {
                values.Remove(keyword);
            }
            else
            {
                values[keyword] = Encoding.UTF8.GetString(record[(equals + 1)..]);
            }

            text = text[length..];
        }

        return true;
    }
}
