using Akka.Event;

namespace ImageCluster.Node.Remoting;

/// <summary>Says why connections were refused: the same thing once a minute, however often somebody tries.</summary>
internal sealed class RefusalLog(ILoggingAdapter log, TimeProvider time)
{
    private const int MaxKept = 1000;

    private static readonly TimeSpan Again = TimeSpan.FromMinutes(1);

    private readonly Dictionary<string, long> _said = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();

    public void Warn(string line)
    {
        lock (_lock)
        {
            if (_said.TryGetValue(line, out long at) && time.GetElapsedTime(at) < Again)
            {
                return;
            }

            if (_said.Count >= MaxKept)
            {
                _said.Clear();
            }

            _said[line] = time.GetTimestamp();
        }

        log.Warning("{0}", line);
    }
}
