using System.Globalization;

namespace ImageCluster.Imaging.Formats.Filters.Several;

/// <summary>What a quorum node is told (QAPI's BlockdevOptionsQuorum); complaints are QEMU's.</summary>
internal sealed record QuorumSettings
{
    /// <summary>How many children must agree, 1 to their number.</summary>
    public required int Threshold { get; init; }

    /// <summary>Children are asked one after the other until one answers (<c>read-pattern=fifo</c>).</summary>
    public bool ReadsFirst { get; init; }

    /// <summary>Of two children, any difference ends the program (<c>blkverify</c>).</summary>
    public bool Verifies { get; init; }

    /// <summary>Children that were outvoted get what the others have.</summary>
    public bool Rewrites { get; init; }

    /// <exception cref="ImageException">Something is wrong with the options.</exception>
    public static QuorumSettings Read(IReadOnlyDictionary<string, string> options, int children)
    {
        if (children < 1)
        {
            throw Invalid("Number of provided children must be 1 or more");
        }

        bool verifies = Flag(options, "blkverify");
        bool rewrites = Flag(options, "rewrite-corrupted");
        long threshold = Number(options, "vote-threshold");
        if (threshold < 1)
        {
            throw Invalid("Parameter 'vote-threshold' expects a value >= 1");
        }

        if (threshold > children)
        {
            throw Invalid("threshold may not exceed children count");
        }

        bool readsFirst = options.GetValueOrDefault("read-pattern", "quorum") switch
        {
            "quorum" => false,
            "fifo" => true,
            _ => throw Invalid("Please set read-pattern as fifo or quorum"),
        };
        if (!readsFirst && verifies && (children != 2 || threshold != 2))
        {
            throw Invalid("blkverify=on can only be set if there are exactly two files and vote-threshold is 2");
        }

        if (!readsFirst && verifies && rewrites)
        {
            throw Invalid("rewrite-corrupted=on cannot be used with blkverify=on");
        }

        return new QuorumSettings { Threshold = (int)threshold, ReadsFirst = readsFirst, Verifies = verifies && !readsFirst, Rewrites = rewrites && !readsFirst };
    }

    private static long Number(IReadOnlyDictionary<string, string> options, string name) => !options.TryGetValue(name, out string? text)
        ? 0
        : long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number)
            ? number
            : throw Invalid($"Parameter '{name}' expects a number");

    private static bool Flag(IReadOnlyDictionary<string, string> options, string name) => options.GetValueOrDefault(name) switch
    {
        null or "off" or "no" or "false" or "n" => false,
        "on" or "yes" or "true" or "y" => true,
        _ => throw Invalid($"Parameter '{name}' expects 'on' or 'off'"),
    };

    private static ImageException Invalid(string message) => new(ImageErrorKind.InvalidArgument, null, message);
}
