using System.Globalization;

namespace ImageCluster.Testing;

/// <summary>
/// Where random tests begin: the same place every time, so that a green tree stays green. <c>IMAGECLUSTER_SEED=random</c> looks elsewhere
/// each time, <c>IMAGECLUSTER_SEED=n</c> looks at a place that a failure named.
/// </summary>
public static class TestSeed
{
    private const int Usual = 20161122;

    private static readonly string? Given = Environment.GetEnvironmentVariable("IMAGECLUSTER_SEED");

    /// <summary>True where every run shall see something new.</summary>
    public static bool IsRandom { get; } = Given == "random";

    /// <summary>To be named in each failure of a test that uses it.</summary>
    public static int Value { get; } =
        IsRandom ? Environment.TickCount : Given is null ? Usual : int.Parse(Given, CultureInfo.InvariantCulture);
}
