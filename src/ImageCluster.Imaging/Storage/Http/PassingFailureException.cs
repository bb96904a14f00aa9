namespace ImageCluster.Imaging.Storage.Http;

/// <summary>A failure that may pass: the request is worth sending again.</summary>
/// <param name="failure">What to report where it does not pass.</param>
/// <param name="after">How long the server asks to wait; null where it does not say.</param>
internal sealed class PassingFailureException(ImageException failure, TimeSpan? after = null) : Exception(failure.Message, failure)
{
    public ImageException Failure { get; } = failure;

    public TimeSpan? After { get; } = after;
}
