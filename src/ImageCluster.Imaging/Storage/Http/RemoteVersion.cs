namespace ImageCluster.Imaging.Storage.Http;

/// <summary>Which content of a remote file is being read: its length and what the server names its version by.</summary>
/// <param name="Length">Bytes.</param>
/// <param name="ETag">As the server writes it, quotes and all; null where it gives none.</param>
/// <param name="LastModified">As the server writes it; null where it gives none.</param>
internal sealed record RemoteVersion(long Length, string? ETag, string? LastModified)
{
    /// <summary>What an <c>If-Range</c> header can carry (RFC 9110, 13.1.5: no weak tag); null for none.</summary>
    public string? Condition => ETag is not null ? (ETag.StartsWith("W/", StringComparison.Ordinal) ? null : ETag) : LastModified;

    /// <summary>False where an answer's validators contradict those that the file had when it was opened.</summary>
    public bool Agrees(string? etag, string? lastModified) => ETag is not null && etag is not null
        ? ETag == etag
        : LastModified is null || lastModified is null || LastModified == lastModified;

    /// <summary>Validators of an answer.</summary>
    public static (string? ETag, string? LastModified) Of(HttpAnswer answer) =>
        (answer.Text("ETag"), answer.ContentHeaders.TryGetValues("Last-Modified", out IEnumerable<string>? values) ? values.FirstOrDefault() : null);
}
