namespace ImageCluster.Imaging.Formats.Filters.Several;

/// <summary>
/// Images that a filter compares do not hold the same, or do not fail alike. QEMU ends its process there: no command goes on, and none puts
/// zeros in the place of what was to be read. So this is no <see cref="ImageException"/>.
/// </summary>
public sealed class DisagreementException : Exception
{
    public DisagreementException()
    {
    }

    public DisagreementException(string message)
        : base(message)
    {
    }

    public DisagreementException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
