namespace ImageCluster.Node.Configuration;

/// <summary>
/// What was set, from the file, the environment and the arguments, each of which counts before the one named before it. Everything that is
/// wrong is collected, so that it is mended in one go.
/// </summary>
public sealed class SettingValues
{
    private readonly Dictionary<string, (string Text, string Where)> _values = new(StringComparer.Ordinal);

    /// <summary>A line each.</summary>
    public List<string> Problems { get; } = [];

    /// <summary>Takes a value in place of an earlier one.</summary>
    /// <param name="key">The setting's, as it was written.</param>
    /// <param name="text">Its value.</param>
    /// <param name="where">Where it was written, for messages.</param>
    public void Set(string key, string text, string where)
    {
        if (NodeSettings.All.FirstOrDefault(setting => setting.Key == key) is not { } setting)
        {
            string hint = Jobs.Manifests.NearestWord.Find(key, NodeSettings.All.Select(known => known.Key)) is { } near ? $"; did you mean '{near}'?" : "";
            Problems.Add($"{where}: '{key}' is not a setting{hint}");
        }
        else if (setting.ProblemOf(text) is { } problem)
        {
            Problems.Add(setting.IsSecret ? $"{where}: '{key}' {problem}" : $"{where}: '{key}': '{text}' {problem}");
        }
        else
        {
            _values[key] = (text, where);
        }
    }

    /// <summary>A setting's value, or what it leads to, cannot be.</summary>
    public void Refuse(Setting setting, string problem) => Problems.Add($"{WhereOf(setting)}: {setting.Key}: {problem}");

    public bool Has(Setting setting) => _values.ContainsKey(setting.Key);

    public T Get<T>(TypedSetting<T> setting) => _values.TryGetValue(setting.Key, out (string Text, string Where) value) ? setting.Read(value.Text) : setting.Read(setting.Default);

    /// <summary>Null where it was not set.</summary>
    public string? Find(TypedSetting<string> setting) => _values.TryGetValue(setting.Key, out (string Text, string Where) value) ? value.Text : null;

    /// <summary>Where it was set, for messages.</summary>
    public string WhereOf(Setting setting) => _values.TryGetValue(setting.Key, out (string Text, string Where) value) ? value.Where : "configuration";
}
