using ImageCluster.Api;

namespace ImageCluster.Node.Http;

/// <summary>Manifests that a node keeps for its operators.</summary>
/// <param name="directory">Absolute; null where it keeps none.</param>
internal sealed class ManifestDirectory(string? directory)
{
    private const long MaxLength = HttpApi.MaxRequestBytes;

    /// <summary>Reads one by its name; null where there is no directory.</summary>
    public Func<string, string>? Reader => directory is null ? null : Read;

    private string Read(string name)
    {
        // No way out of the directory: names have one part.
        if (name.Length == 0 || name.StartsWith('.') || name.Contains('/', StringComparison.Ordinal) || name.Contains('\\', StringComparison.Ordinal))
        {
            throw new OperationRefusedException(RefusalReason.Invalid, $"'{name}' is not the name of a file in the node's directory for manifests");
        }

        var file = new FileInfo(Path.Join(directory, name));
        if (!file.Exists || file.LinkTarget is not null)
        {
            throw new OperationRefusedException(RefusalReason.NotFound, $"there is no manifest '{name}'");
        }

        try
        {
            return file.Length <= MaxLength
                ? File.ReadAllText(file.FullName)
                : throw new OperationRefusedException(RefusalReason.Invalid, $"'{name}' is too large for a manifest");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new OperationRefusedException(RefusalReason.Unavailable, $"'{name}': {e.Message.ReplaceLineEndings(" ")}", inner: e);
        }
    }
}
