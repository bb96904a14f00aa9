namespace ImageCluster.Imaging.Storage.Http;

/// <summary>Does something again while its failures are ones that can pass, waiting longer each time.</summary>
internal sealed class RetryLoop(HttpSettings settings)
{
    /// <param name="attempt">Throws <see cref="PassingFailureException"/> for what is worth another attempt.</param>
    /// <param name="cancel">Ends the waiting.</param>
    /// <exception cref="ImageException">The last failure.</exception>
    public T Run<T>(Func<T> attempt, CancellationToken cancel)
    {
        for (int failures = 0; ; failures++)
        {
            try
            {
                return attempt();
            }
            catch (PassingFailureException e)
            {
                if (failures >= settings.Retries)
                {
                    throw Final(e.Failure, failures);
                }

                if (cancel.WaitHandle.WaitOne(Delay(failures, e.After)))
                {
                    throw new OperationCanceledException(cancel);
                }
            }
        }
    }

    private static ImageException Final(ImageException failure, int retries) => retries == 0
        ? failure
        : failure.Saying($"{failure.Message} (tried {retries + 1} times)");

    private TimeSpan Delay(int failures, TimeSpan? asked)
    {
        // Many readers fail at once when a server does: a random part keeps them from coming back at once.
        double doubled = settings.FirstDelay.TotalMilliseconds * Math.Pow(2, Math.Min(failures, 20)) * (0.5 + Random.Shared.NextDouble());
        double wanted = Math.Max(doubled, asked?.TotalMilliseconds ?? 0);
        return TimeSpan.FromMilliseconds(Math.Clamp(wanted, 0, settings.LongestDelay.TotalMilliseconds));
    }
}
