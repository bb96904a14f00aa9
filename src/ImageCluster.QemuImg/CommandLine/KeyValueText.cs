using System.Text;

namespace ImageCluster.QemuImg.CommandLine;

/// <summary>
/// QEMU's option strings: <c>name=value,flag,noflag,other=a,,b</c>. A doubled comma stands for one comma in a value.
/// </summary>
internal static class KeyValueText
{
    /// <summary>One item: its name, and its value or null where it has no <c>=</c>.</summary>
    public readonly record struct Item(string Name, string? Value)
    {
        /// <summary>The value, where a lone name is a switch: <c>on</c>, or <c>off</c> for <c>no...</c>.</summary>
        public Item AsSwitch => this switch
        {
            { Value: not null } => this,
            _ when Name.StartsWith("no", StringComparison.Ordinal) => new(Name[2..], "off"),
            _ => new(Name, "on"),
        };
    }

    /// <param name="text">The whole string.</param>
    /// <param name="impliedKey">The key of a first item that has no <c>=</c>; null where there is none.</param>
    public static List<Item> Split(string text, string? impliedKey = null)
    {
        List<Item> items = [];
        int at = 0;
        while (at < text.Length)
        {
            int end = text.AsSpan(at).IndexOfAny('=', ',');
            end = end < 0 ? text.Length : at + end;
            bool isValue = items.Count == 0 && impliedKey is not null && (end == text.Length || text[end] == ',');
            if (isValue)
            {
                items.Add(new Item(impliedKey!, ReadValue(text, ref at)));
            }
            else if (end < text.Length && text[end] == '=')
            {
                string name = text[at..end];
                at = end + 1;
                items.Add(new Item(name, ReadValue(text, ref at)));
            }
            else
            {
                items.Add(new Item(text[at..end], null));
                at = end + 1;
            }
        }

        return items;
    }

    /// <summary>True where an item asks for help: <c>help</c> or <c>?</c>.</summary>
    public static bool AsksForHelp(string text) => Split(text).Any(static item => item is { Name: "help" or "?", Value: null });

    /// <summary>False for an empty list and one that starts or ends with a lone comma: joining it to another would change both.</summary>
    public static bool IsValidList(string text)
    {
        int commas = text.Length - text.TrimEnd(',').Length;
        return text.Length > 0 && text[0] != ',' && commas % 2 == 0;
    }

    private static string ReadValue(string text, ref int at)
    {
        StringBuilder value = new();
        while (at < text.Length)
        {
            char c = text[at++];
            if (c == ',')
            {
                if (at == text.Length || text[at] != ',')
                {
                    break;
                }

                at++;
            }

            value.Append(c);
        }

        return value.ToString();
    }
}
