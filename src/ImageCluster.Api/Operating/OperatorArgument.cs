namespace ImageCluster.Api.Operating;

/// <summary>An argument of an operator's command.</summary>
/// <param name="Name">By which the command asks for it.</param>
/// <param name="Switches">How it is written: <c>-i</c>, <c>--id</c>.</param>
/// <param name="Description">One line.</param>
/// <param name="IsMandatory">The command is refused without it.</param>
/// <param name="Hints">Values that consoles offer; others may be allowed too.</param>
public sealed record OperatorArgument(
    string Name, IReadOnlyList<string> Switches, string Description, bool IsMandatory = false, IReadOnlyList<string>? Hints = null);
