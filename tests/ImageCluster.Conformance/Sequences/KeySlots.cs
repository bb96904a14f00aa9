using System.Globalization;

namespace ImageCluster.Conformance.Sequences;

/// <summary>Which secret opens which of a LUKS header's eight key slots; draws what is done to them.</summary>
internal sealed class KeySlots
{
    private const int Count = 8;

    private readonly SortedDictionary<int, string> _secrets = new() { [0] = SequenceImage.Secrets[0] };

    /// <summary>A secret that opens the image.</summary>
    public string Any(Random random) => _secrets.Values.ElementAt(random.Next(_secrets.Count));

    /// <summary>Draws an amendment: its options, and what to do when it has been done.</summary>
    /// <param name="random">Where it is drawn from.</param>
    /// <param name="prefix">Before each option.</param>
    public (string[] Words, Action Done) Draw(Random random, string prefix)
    {
        int slot = random.Next(random.Next(4) == 0 ? Count + 1 : 3);
        string secret = SequenceImage.Secrets[random.Next(SequenceImage.Secrets.Length)];
        string keySlot = string.Create(CultureInfo.InvariantCulture, $",{prefix}keyslot={slot}");
        return random.Next(6) switch
        {
            0 or 1 => ([Option($"{prefix}state=active,{prefix}new-secret={secret},{prefix}iter-time=10")], () => _secrets[Enumerable.Range(0, Count).First(free => !_secrets.ContainsKey(free))] = secret),
            2 => ([.. random.Next(2) == 0 ? new[] { "--force" } : [], Option($"{prefix}state=active,{prefix}new-secret={secret},{prefix}iter-time=10{keySlot}")], () => _secrets[slot] = secret),
            3 => ([Option($"{prefix}state=inactive{keySlot}")], () => _secrets.Remove(slot)),
            4 => ([Option($"{prefix}state=inactive,{prefix}old-secret={secret}{(random.Next(3) == 0 ? keySlot : "")}")], () => Remove(secret)),
            _ => ([Option($"{prefix}state=active,{prefix}new-secret={secret},{prefix}old-secret={secret},{prefix}iter-time=10")], () => _secrets[Enumerable.Range(0, Count).First(free => !_secrets.ContainsKey(free))] = secret),
        };
    }

    private void Remove(string secret)
    {
        foreach (int slot in _secrets.Where(pair => pair.Value == secret).Select(static pair => pair.Key).ToArray())
        {
            _secrets.Remove(slot);
        }
    }

    private static string Option(string options) => "-o" + options;
}
