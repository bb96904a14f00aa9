using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Prometheus;

namespace ImageCluster.Node.Measuring;

/// <summary>
/// Shows the instruments of one meter in Prometheus' registry, each from its first measurement on. (The library's own adapter forgets what was not measured for a
/// day: a counter would begin again, and what goes up and down would be wrong from then on.)
/// </summary>
internal sealed class MeterExport : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly ConcurrentDictionary<Instrument, Collector> _shown = [];
    private readonly MetricFactory _metrics;
    private readonly double[] _buckets;

    /// <param name="meter">The meter's name.</param>
    /// <param name="metrics">Where it is shown.</param>
    /// <param name="buckets">Upper bounds for every histogram.</param>
    public MeterExport(string meter, MetricFactory metrics, double[] buckets)
    {
        (_metrics, _buckets) = (metrics, buckets);
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == meter)
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Take(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Take(instrument, value, tags));
        _listener.Start();
    }

    public void Dispose() => _listener.Dispose();

    private void Take(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        string[] names = new string[tags.Length];
        string[] values = new string[tags.Length];
        for (int i = 0; i < tags.Length; i++)
        {
            (names[i], values[i]) = (tags[i].Key, $"{tags[i].Value}");
        }

        switch (_shown.GetOrAdd(instrument, _ => Create(instrument, names)))
        {
            case Counter counter:
                counter.WithLabels(values).Inc(value);
                break;
            case Gauge gauge:
                gauge.WithLabels(values).Inc(value);
                break;
            case Histogram histogram:
                histogram.WithLabels(values).Observe(value);
                break;
        }
    }

    private Collector Create(Instrument instrument, string[] labels)
    {
        string name = $"{instrument.Meter.Name}_{instrument.Name}";
        string help = instrument.Description ?? "";
        return instrument switch
        {
            UpDownCounter<long> => _metrics.CreateGauge(name, help, labels),
            Histogram<double> => _metrics.CreateHistogram(name, help, labels, new HistogramConfiguration { Buckets = _buckets }),
            _ => _metrics.CreateCounter(name, help, labels),
        };
    }
}
