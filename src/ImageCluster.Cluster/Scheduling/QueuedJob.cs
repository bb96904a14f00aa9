using ImageCluster.Cluster.Messages;

namespace ImageCluster.Cluster.Scheduling;

/// <summary>A job as the scheduler knows it. What it is ordered by changes only while it is in no lane.</summary>
internal sealed class QueuedJob
{
    /// <summary>The one to be served first comes first.</summary>
    public static IComparer<QueuedJob> Order { get; } = Comparer<QueuedJob>.Create(static (a, b) =>
        a.Offer.Priority != b.Offer.Priority ? b.Offer.Priority.CompareTo(a.Offer.Priority)
        : a.InWork != b.InWork ? a.InWork.CompareTo(b.InWork)
        : a.Turn != b.Turn ? a.Turn.CompareTo(b.Turn)
        : string.CompareOrdinal(a.Id, b.Id));

    private long _lastGift;
    private bool _isForgiven;

    /// <summary>What it said last.</summary>
    public WorkOffered Offer { get; private set; } = new("", 0, 0, 0, [], 0);

    public string Id => Offer.JobId;

    /// <summary>Jobs of one lane need the same of workers.</summary>
    public string LaneKey { get; private set; } = "";

    /// <summary>Timestamp of the last gift.</summary>
    public long GivenAt { get; private set; }

    public long Turn { get; private set; }

    /// <summary>Gifts that its numbers do not include yet.</summary>
    public long OnTheWay => _isForgiven ? 0 : _lastGift - Offer.LastGiven;

    public long Waiting => Math.Max(0, Offer.Waiting - OnTheWay);

    public long InWork => Offer.InWork + OnTheWay;

    public void Heard(WorkOffered offer)
    {
        if (!ReferenceEquals(offer.Roots, Offer.Roots) || !ReferenceEquals(offer.Limits, Offer.Limits))
        {
            LaneKey = string.Join('\n', offer.Roots.Concat(offer.Limits.Select(limit => $"={limit.Key}={limit.Value}")));
        }

        Offer = offer;
        _lastGift = Math.Max(_lastGift, offer.LastGiven);
    }

    /// <summary>Counts a gift; returns its number.</summary>
    public long Give(long at, long turn)
    {
        _lastGift++;
        (GivenAt, Turn, _isForgiven) = (at, turn, false);
        return _lastGift;
    }

    public void Forgive() => _isForgiven = true;
}
