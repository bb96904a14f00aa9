namespace ImageCluster.Cli;

/// <summary>The exit codes of <c>imagecluster</c>, as docs/migrate.md and docs/http-api.md list them.</summary>
internal static class ExitCode
{
    /// <summary>Everything that was asked for is done.</summary>
    public const int Done = 0;

    /// <summary>Some images failed; the others are done.</summary>
    public const int SomeFailed = 1;

    /// <summary>A wrong argument, or a manifest that cannot be used. Nothing was written.</summary>
    public const int Usage = 2;

    /// <summary>A defect of the program itself, or a failed build (by the start script).</summary>
    public const int Internal = 3;

    /// <summary>The migration must not start as it is: it does not fit, targets collide, it is running already. Nothing was written.</summary>
    public const int Refused = 4;

    /// <summary>The cluster does not answer, or wants a token, or another one.</summary>
    public const int Unreachable = 5;

    /// <summary>Stopped by SIGINT or SIGTERM; the same command goes on from there.</summary>
    public const int Interrupted = 130;
}
