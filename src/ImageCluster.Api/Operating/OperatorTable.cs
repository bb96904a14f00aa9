using System.Globalization;

namespace ImageCluster.Api.Operating;

/// <summary>
/// All commands of the operator. They run against <see cref="IClusterOperations"/> alone; consoles (Petabridge.Cmd), the HTTP API and the
/// documentation are made from this table.
/// </summary>
public static class OperatorTable
{
    public static IReadOnlyList<OperatorPalette> All { get; } =
        [MigrationCommands.Palette, JobCommands.Palette, ImageCommands.Palette, WorkerCommands.Palette];

    /// <summary>Runs a command. It always answers, whatever goes wrong, since a console waits for it; only its being cancelled is thrown.</summary>
    /// <param name="palette">The first word.</param>
    /// <param name="command">The second word.</param>
    /// <param name="arguments">Switches or names, and their values.</param>
    /// <param name="cluster">Where to ask.</param>
    /// <param name="by">Who calls.</param>
    /// <param name="readManifest">See <see cref="OperatorCall"/>.</param>
    public static async Task<OperatorAnswer> RunAsync(string palette, string command, IEnumerable<KeyValuePair<string, string>> arguments,
        IClusterOperations cluster, string by, Func<string, string>? readManifest = null, CancellationToken cancel = default)
    {
        try
        {
            OperatorPalette found = All.FirstOrDefault(entry => entry.Name == palette)
                ?? throw OperatorArguments.Invalid($"there is no '{palette}'; there are {string.Join(", ", All.Select(entry => entry.Name))}");
            OperatorCommand run = found.Commands.FirstOrDefault(entry => entry.Name == command)
                ?? throw OperatorArguments.Invalid(
                    $"'{palette}' has no command '{command}'; it has {string.Join(", ", found.Commands.Select(entry => entry.Name))}");
            var call = new OperatorCall(cluster, OperatorArguments.Bind(run, arguments), by, readManifest);
            return new OperatorAnswer(true, await run.Run(call, cancel).ConfigureAwait(false));
        }
        catch (OperationRefusedException e)
        {
            return new OperatorAnswer(false, string.Join('\n', [$"{Word(e.Reason)}: {e.Message}", .. e.Details]));
        }
        catch (Exception e) when (e is not OperationCanceledException || !cancel.IsCancellationRequested)
        {
            return new OperatorAnswer(false, $"internal error: {e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}");
        }
    }

    private static string Word(RefusalReason reason) => reason switch
    {
        RefusalReason.NotFound => "not found",
        RefusalReason.Unavailable => "not available",
        _ => reason.ToString().ToLower(CultureInfo.InvariantCulture),
    };
}
