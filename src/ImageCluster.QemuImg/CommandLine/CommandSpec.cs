namespace ImageCluster.QemuImg.CommandLine;

/// <summary>A command: one row of <see cref="CommandTable"/>.</summary>
/// <param name="Name">As typed.</param>
/// <param name="Synopsis">What follows the name in the usage line.</param>
/// <param name="Summary">What it does: one sentence.</param>
/// <param name="Options">In the order in which help lists them.</param>
/// <param name="Run">Runs it; the arguments start with the command's name. Returns the exit code.</param>
internal sealed record CommandSpec(
    string Name, string Synopsis, string Summary, IReadOnlyList<OptionSpec> Options, Func<CommandHost, string[], int> Run)
{
    /// <summary>The last argument is taken before options are looked for (resize: <c>-1G</c> is a size).</summary>
    public bool LastArgumentIsOperand { get; init; }

    /// <summary>A wrong <c>--output</c> is complained of before what comes behind it.</summary>
    public bool ChecksOutputAtOnce { get; init; }

    /// <summary>The exit code where an object cannot be defined.</summary>
    public int ObjectFailure { get; init; } = 1;

    /// <summary>Exit codes beside 0 (done) and 1 (failed), for help and the reference page.</summary>
    public IReadOnlyList<(int Code, string Meaning)> ExitCodes { get; init; } = [];
}
