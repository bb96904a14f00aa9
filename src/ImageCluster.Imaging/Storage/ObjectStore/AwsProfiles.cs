namespace ImageCluster.Imaging.Storage.ObjectStore;

/// <summary>
/// The files in which the AWS tools keep profiles: <c>[name]</c> (in the configuration file <c>[profile name]</c>), <c>key = value</c>, comments from <c>#</c> or
/// <c>;</c> on, and settings of one service indented below <c>s3 =</c>, here named <c>s3.key</c>.
/// </summary>
internal sealed class AwsProfiles
{
    private const int MaxLength = 1 << 20;

    private readonly Dictionary<string, Dictionary<string, string>> _profiles = [];

    private AwsProfiles()
    {
    }

    /// <summary>Reads a file; one that is not there holds nothing.</summary>
    /// <param name="path">The file; null for none.</param>
    /// <param name="mustExist">The user named it.</param>
    public static AwsProfiles Read(string? path, bool mustExist)
    {
        if (path is null || (!mustExist && !File.Exists(path)))
        {
            return new AwsProfiles();
        }

        try
        {
            return new FileInfo(path).Length <= MaxLength
                ? Parse(File.ReadAllText(path))
                : throw new ImageException(ImageErrorKind.Limit, path, $"The profile file '{path}' is larger than 1 MiB");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Native.Errno.Exception(e, path, $"Could not read the profile file '{path}'");
        }
    }

    public static AwsProfiles Parse(string text)
    {
        AwsProfiles profiles = new();
        Dictionary<string, string>? current = null;
        string group = "";
        foreach (string raw in text.Split('\n'))
        {
            string line = raw.TrimEnd();
            string trimmed = line.TrimStart();
            if (trimmed.Length == 0 || trimmed[0] is '#' or ';')
            {
                continue;
            }

            if (trimmed[0] == '[' && trimmed.IndexOf(']', StringComparison.Ordinal) is > 0 and var end)
            {
                string name = trimmed[1..end].Trim();
                name = name.StartsWith("profile ", StringComparison.Ordinal) ? name[8..].Trim() : name;
                current = profiles._profiles.TryGetValue(name, out Dictionary<string, string>? known) ? known : profiles._profiles[name] = [];
                group = "";
                continue;
            }

            int equals = line.IndexOf('=', StringComparison.Ordinal);
            if (current is null || equals < 0)
            {
                continue;
            }

            string key = line[..equals].Trim();
            string value = line[(equals + 1)..].Trim();
            bool indented = char.IsWhiteSpace(line[0]) && group.Length > 0;
            group = indented ? group : value.Length == 0 ? key : "";
            current[indented ? $"{group}.{key}" : key] = value;
        }

        return profiles;
    }

    public bool Has(string profile) => _profiles.ContainsKey(profile);

    /// <summary>A value that is not empty, or null.</summary>
    public string? Value(string profile, string key) =>
        _profiles.TryGetValue(profile, out Dictionary<string, string>? values) && values.TryGetValue(key, out string? value) && value.Length > 0 ? value : null;
}
