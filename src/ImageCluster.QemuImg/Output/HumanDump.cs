using System.Globalization;

namespace ImageCluster.QemuImg.Output;

/// <summary>Prints nested values for people: four spaces a level, dashes of names as blanks, list items as <c>[0]:</c>.</summary>
internal static class HumanDump
{
    public static void Write(TextWriter output, QDict dict, int level)
    {
        foreach ((string key, object value) in dict)
        {
            WriteItem(output, key.Replace('-', ' '), value, level);
        }
    }

    private static void WriteItem(TextWriter output, string label, object value, int level)
    {
        output.Write(new string(' ', level * 4));
        output.Write(label);
        output.Write(':');
        switch (value)
        {
            case QDict dict:
                output.Write('\n');
                Write(output, dict, level + 1);
                break;
            case IReadOnlyList<object> list:
                output.Write('\n');
                for (int i = 0; i < list.Count; i++)
                {
                    WriteItem(output, $"[{i}]", list[i], level + 1);
                }

                break;
            case bool flag:
                output.Write(flag ? " true\n" : " false\n");
                break;
            default:
                output.Write(' ');
                output.Write(Convert.ToString(value, CultureInfo.InvariantCulture));
                output.Write('\n');
                break;
        }
    }
}
