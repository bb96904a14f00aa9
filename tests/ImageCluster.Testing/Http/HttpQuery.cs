namespace ImageCluster.Testing.Http;

/// <summary>A request as it arrived.</summary>
/// <param name="Method">In capitals.</param>
/// <param name="Target">Path and query, as they stood in the request line.</param>
/// <param name="Headers">By name, whatever its case.</param>
/// <param name="Body">All of it.</param>
public sealed record HttpQuery(string Method, string Target, IReadOnlyDictionary<string, string> Headers, byte[] Body)
{
    public string Path => Target.Split('?')[0];

    public string QueryText => Target.Contains('?', StringComparison.Ordinal) ? Target[(Target.IndexOf('?', StringComparison.Ordinal) + 1)..] : "";

    public string? Header(string name) => Headers.GetValueOrDefault(name);

    /// <summary>First and last byte of a <c>Range: bytes=a-b</c> header; null where there is none.</summary>
    public (long First, long Last)? Range
    {
        get
        {
            if (Header("Range") is not { } text || !text.StartsWith("bytes=", StringComparison.Ordinal))
            {
                return null;
            }

            string[] ends = text[6..].Split('-');
            return (long.Parse(ends[0]), ends[1].Length == 0 ? long.MaxValue : long.Parse(ends[1]));
        }
    }
}
