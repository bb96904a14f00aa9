namespace ImageCluster.Imaging.Formats;

/// <summary>
/// The format-specific part of <c>info</c> as an ordered tree of named values, so that the human and the JSON output of every
/// format are printed by one piece of code. Names are QAPI's (<c>compat</c>, <c>lazy-refcounts</c>); values are string, long, bool,
/// <see cref="FormatSpecificInfo"/> or a list of these.
/// </summary>
public sealed class FormatSpecificInfo
{
    private readonly List<KeyValuePair<string, object>> _fields = [];

    /// <param name="type">QAPI's discriminator (<c>qcow2</c>, <c>vmdk</c>); null for nested values.</param>
    public FormatSpecificInfo(string? type = null) => Type = type;

    public string? Type { get; }

    public IReadOnlyList<KeyValuePair<string, object>> Fields => _fields;

    /// <summary>Appends a field; a null value leaves it out.</summary>
    public FormatSpecificInfo Add(string name, object? value)
    {
        if (value is int number)
        {
            value = (long)number;
        }

        if (value is not null)
        {
            _fields.Add(new(name, value));
        }

        return this;
    }
}
