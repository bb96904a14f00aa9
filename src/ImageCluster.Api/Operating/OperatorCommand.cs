namespace ImageCluster.Api.Operating;

/// <summary>One command of the operator: declared once, for consoles, the HTTP API and the documentation.</summary>
/// <param name="Name">The word that it is called by.</param>
/// <param name="Description">One line.</param>
/// <param name="Arguments">In the order in which help shows them.</param>
/// <param name="Run">Does it and says, as text, what came of it.</param>
public sealed record OperatorCommand(
    string Name, string Description, IReadOnlyList<OperatorArgument> Arguments, Func<OperatorCall, CancellationToken, Task<string>> Run);
