namespace ImageCluster.Jobs.Manifests;

/// <summary>A manifest that cannot be used, with everything that is wrong in it in the order of its lines.</summary>
public sealed class ManifestException : Exception
{
    /// <param name="source">The file's name, or what stands for it.</param>
    /// <param name="errors">One or more.</param>
    public ManifestException(string source, IReadOnlyList<ManifestError> errors)
        : base(Format(source, errors[0]) + (errors.Count > 1 ? $" (and {errors.Count - 1} more)" : ""))
    {
        Source = source;
        Errors = errors;
    }

    public IReadOnlyList<ManifestError> Errors { get; }

    /// <summary>A line for each error: <c>file:line:column: what is wrong</c>.</summary>
    public IEnumerable<string> Lines => Errors.Select(error => Format(Source!, error));

    private static string Format(string source, ManifestError error) => $"{source}:{error.Line}:{error.Column}: {error.Message}";
}
