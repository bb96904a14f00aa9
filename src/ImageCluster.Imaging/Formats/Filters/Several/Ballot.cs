namespace ImageCluster.Imaging.Formats.Filters.Several;

/// <summary>Votes of children for what they found. Of values with as many votes the one that came up last wins, as in QEMU.</summary>
internal sealed class Ballot
{
    private readonly List<(int Value, List<int> Voters)> _values = [];

    /// <summary>Nobody says otherwise.</summary>
    public bool IsUnanimous => _values.Count == 1;

    /// <summary>The value with most votes and how many; there must be a vote.</summary>
    public (int Value, int Count) Winner
    {
        get
        {
            (int Value, List<int> Voters) best = _values[^1];
            for (int i = _values.Count - 2; i >= 0; i--)
            {
                best = _values[i].Voters.Count > best.Voters.Count ? _values[i] : best;
            }

            return (best.Value, best.Voters.Count);
        }
    }

    public void Add(int value, int voter)
    {
        int known = _values.FindIndex(entry => entry.Value == value);
        if (known < 0)
        {
            _values.Add((value, [voter]));
        }
        else
        {
            _values[known].Voters.Add(voter);
        }
    }

    /// <summary>Who voted for another value.</summary>
    public IEnumerable<int> Losers(int winner) => _values.Where(entry => entry.Value != winner).SelectMany(static entry => entry.Voters);
}
