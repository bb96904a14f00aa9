namespace ImageCluster.Api.Operating;

/// <summary>What a command gets to run with.</summary>
/// <param name="Cluster">Where to ask.</param>
/// <param name="Arguments">What was typed.</param>
/// <param name="By">Who typed it; for people.</param>
/// <param name="ReadManifest">The text of a manifest by its name, where a node keeps some for its operators; null where it keeps none.</param>
public sealed record OperatorCall(IClusterOperations Cluster, OperatorArguments Arguments, string By, Func<string, string>? ReadManifest);
