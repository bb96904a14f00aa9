namespace ImageCluster.Jobs.Manifests;

/// <summary>Collects what is wrong, so that the user mends a manifest in one go.</summary>
internal sealed class ManifestErrors(string source)
{
    /// <summary>More than that helps nobody.</summary>
    private const int Max = 100;

    private readonly List<ManifestError> _errors = [];

    public void Add(ManifestNode at, string message) => Add(at.Line, at.Column, message);

    public void Add(int line, int column, string message)
    {
        if (_errors.Count < Max)
        {
            _errors.Add(new ManifestError(line, column, message));
        }
    }

    public void ThrowIfAny()
    {
        if (_errors.Count > 0)
        {
            throw new ManifestException(source, [.. _errors.OrderBy(error => (error.Line, error.Column))]);
        }
    }
}
