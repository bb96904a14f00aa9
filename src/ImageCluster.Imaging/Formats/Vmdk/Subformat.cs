namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>The subformats that can be created; names as in <c>createType</c> with the first letter small.</summary>
internal enum Subformat
{
    MonolithicSparse,
    MonolithicFlat,
    TwoGbMaxExtentSparse,
    TwoGbMaxExtentFlat,
    StreamOptimized,
}

internal static class SubformatNames
{
    /// <summary>The subformat of that name, or null.</summary>
    public static Subformat? Parse(string name) => name switch
    {
        "monolithicSparse" => Subformat.MonolithicSparse,
        "monolithicFlat" => Subformat.MonolithicFlat,
        "twoGbMaxExtentSparse" => Subformat.TwoGbMaxExtentSparse,
        "twoGbMaxExtentFlat" => Subformat.TwoGbMaxExtentFlat,
        "streamOptimized" => Subformat.StreamOptimized,
        _ => null,
    };

    /// <summary>As <c>createType</c> has it.</summary>
    public static string NameOf(Subformat subformat)
    {
        string name = subformat.ToString();
        return char.ToLowerInvariant(name[0]) + name[1..];
    }
}
