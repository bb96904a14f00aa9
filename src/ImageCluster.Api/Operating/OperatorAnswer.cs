namespace ImageCluster.Api.Operating;

/// <summary>What a command says.</summary>
/// <param name="Succeeded">False where it was refused.</param>
/// <param name="Text">Lines for a console, without a line end behind the last.</param>
public sealed record OperatorAnswer(bool Succeeded, string Text);
