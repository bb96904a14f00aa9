using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;

namespace ImageCluster.Node.Configuration;

/// <summary>Makes settings of each kind.</summary>
internal static partial class SettingKinds
{
    public static TypedSetting<string> Text(string key, string form, string standard, string description) =>
        new(key, form, standard, description, (string text, out string value, out string problem) => Good(value = text, out problem));

    public static TypedSetting<string> Secret(string key, string form, string description) =>
        new(key, form, "", description, (string text, out string value, out string problem) => Good(value = text, out problem)) { IsSecret = true };

    public static TypedSetting<int> Number(string key, int standard, int min, int max, string description) =>
        new(key, $"{min} to {max}", standard.ToString(CultureInfo.InvariantCulture), description, (string text, out int value, out string problem) =>
        {
            problem = $"is not a number from {min} to {max}";
            return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value >= min && value <= max;
        });

    public static TypedSetting<bool> Flag(string key, bool standard, string description) =>
        new(key, "true or false", standard ? "true" : "false", description, (string text, out bool value, out string problem) =>
        {
            problem = "is neither 'true' nor 'false'";
            return bool.TryParse(text, out value);
        });

    public static TypedSetting<string> Choice(string key, string standard, string[] words, string description) =>
        new(key, string.Join(", ", words), standard, description, (string text, out string value, out string problem) =>
        {
            problem = $"is none of {string.Join(", ", words)}";
            return words.Contains(value = text);
        });

    /// <summary>One or more of some words.</summary>
    public static TypedSetting<IReadOnlyList<string>> Words(string key, string[] standard, string[] words, string description) =>
        new(key, $"list of {string.Join(", ", words)}", string.Join(",", standard), description, (string text, out IReadOnlyList<string> value, out string problem) =>
        {
            value = Split(text);
            string? other = value.FirstOrDefault(word => !words.Contains(word));
            problem = other is null ? "is empty" : $"has '{other}', which is none of {string.Join(", ", words)}";
            return other is null && value.Count > 0;
        });

    /// <summary><c>500ms</c>, <c>10s</c>, <c>2m</c>, <c>1h</c>.</summary>
    public static TypedSetting<TimeSpan> Time(string key, string standard, TimeSpan min, TimeSpan max, string description) =>
        new(key, "time: 500ms, 10s, 2m, 1h", standard, description, (string text, out TimeSpan value, out string problem) =>
        {
            problem = $"is not a time from {Show(min)} to {Show(max)}, such as 500ms, 10s, 2m or 1h";
            return TryTime(text, out value) && value >= min && value <= max;
        });

    /// <summary><c>host:port</c> each.</summary>
    public static TypedSetting<IReadOnlyList<DnsEndPoint>> Addresses(string key, string description) =>
        new(key, "list of HOST:PORT", "", description, (string text, out IReadOnlyList<DnsEndPoint> value, out string problem) =>
        {
            problem = "";
            var addresses = new List<DnsEndPoint>();
            value = addresses;
            foreach (string part in Split(text))
            {
                int colon = part.LastIndexOf(':');
                if (colon <= 0 || !int.TryParse(part[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out int port) || port is < 1 or > 65535)
                {
                    problem = $"has '{part}', which is not HOST:PORT";
                    return false;
                }

                addresses.Add(new DnsEndPoint(part[..colon].Trim('[', ']'), port));
            }

            return true;
        });

    /// <summary><c>http://host:port</c> or <c>https://host:port</c> each.</summary>
    public static TypedSetting<IReadOnlyList<Uri>> Urls(string key, string standard, string description) =>
        new(key, "list of http://HOST:PORT or https://HOST:PORT", standard, description, (string text, out IReadOnlyList<Uri> value, out string problem) =>
        {
            var urls = new List<Uri>();
            value = urls;
            foreach (string part in Split(text))
            {
                if (!Uri.TryCreate(part, UriKind.Absolute, out Uri? url) || url.Scheme is not ("http" or "https") || url.PathAndQuery != "/")
                {
                    problem = $"has '{part}', which is not http://HOST:PORT or https://HOST:PORT";
                    return false;
                }

                urls.Add(url);
            }

            problem = "is empty";
            return urls.Count > 0;
        });

    /// <summary>A value for each name.</summary>
    public static TypedSetting<IReadOnlyDictionary<string, T>> Map<T>(string key, string form, string description, TypedSetting<T> of) =>
        new(key, form, "", description, (string text, out IReadOnlyDictionary<string, T> value, out string problem) =>
        {
            problem = "";
            var map = new SortedDictionary<string, T>(StringComparer.Ordinal);
            value = map;
            foreach (string part in Split(text))
            {
                string[] pair = part.Split('=', 2);
                if (pair.Length < 2 || !IsName(pair[0]))
                {
                    problem = $"has '{part}', which is not NAME=VALUE with a name of letters, digits, '.', '_' and '-', a letter or digit first";
                    return false;
                }

                if (of.ProblemOf(pair[1]) is { } wrong)
                {
                    problem = $"has '{pair[1]}' for '{pair[0]}', which {wrong}";
                    return false;
                }

                if (!map.TryAdd(pair[0], of.Read(pair[1])))
                {
                    problem = $"has '{pair[0]}' a second time";
                    return false;
                }
            }

            return true;
        })
        { IsMap = true };

    /// <summary>The parts between commas, but for a comma behind a backslash, which is one of the part's own.</summary>
    public static IReadOnlyList<string> Split(string text) =>
        [.. Parting().Split(text).Select(part => part.Replace("\\,", ",", StringComparison.Ordinal).Trim()).Where(part => part.Length > 0)];

    /// <summary>What <see cref="Split"/> parts again.</summary>
    public static string Join(IEnumerable<string> parts) => string.Join(",", parts.Select(part => part.Replace(",", "\\,", StringComparison.Ordinal)));

    [GeneratedRegex(@"(?<!\\),")]
    private static partial Regex Parting();

    private static bool Good(string value, out string problem)
    {
        problem = "is empty or has a control character";
        return value.Length > 0 && !value.Any(char.IsControl);
    }

    private static bool IsName(string name) => Jobs.Manifests.RootReference.IsValidName(name);

    private static bool TryTime(string text, out TimeSpan value)
    {
        (string unit, double seconds) = new[] { ("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600) }.FirstOrDefault(unit => text.EndsWith(unit.Item1, StringComparison.Ordinal));
        value = default;
        if (unit is null || !int.TryParse(text.AsSpan(0, text.Length - unit.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int count))
        {
            return false;
        }

        value = TimeSpan.FromSeconds(count * seconds);
        return true;
    }

    private static string Show(TimeSpan time) => time.TotalSeconds < 1 ? $"{time.TotalMilliseconds:0}ms" : time.TotalMinutes < 1 ? $"{time.TotalSeconds:0}s"
        : time.TotalHours < 1 ? $"{time.TotalMinutes:0}m" : $"{time.TotalHours:0}h";
}
