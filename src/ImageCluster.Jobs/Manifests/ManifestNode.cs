namespace ImageCluster.Jobs.Manifests;

/// <summary>A value of the YAML text and where it stands.</summary>
internal abstract record ManifestNode(int Line, int Column)
{
    /// <summary>What messages call it.</summary>
    public abstract string Kind { get; }
}

/// <summary>A text, number or flag; <paramref name="Plain"/> where it is not quoted.</summary>
internal sealed record ManifestScalar(int Line, int Column, string Text, bool Plain) : ManifestNode(Line, Column)
{
    public bool IsNull => Plain && Text is "" or "~" or "null" or "Null" or "NULL";

    public override string Kind => IsNull ? "nothing" : "a single value";
}

internal sealed record ManifestList(int Line, int Column, IReadOnlyList<ManifestNode> Items) : ManifestNode(Line, Column)
{
    public override string Kind => "a list";
}

internal sealed record ManifestMap(int Line, int Column, IReadOnlyList<(ManifestScalar Key, ManifestNode Value)> Entries) : ManifestNode(Line, Column)
{
    public override string Kind => "a map of keys";
}
