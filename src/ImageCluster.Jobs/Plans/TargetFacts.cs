namespace ImageCluster.Jobs.Plans;

/// <summary>What stands at the path of a planned target now.</summary>
/// <param name="Identity">Canonical name of that path (links resolved as far as it exists).</param>
/// <param name="Exists">Something is there.</param>
public sealed record TargetFacts(string Identity, bool Exists);
