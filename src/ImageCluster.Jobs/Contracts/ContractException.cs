namespace ImageCluster.Jobs.Contracts;

/// <summary>Stored or sent bytes that cannot be read: of a kind or version that this program does not know, or damaged.</summary>
public sealed class ContractException(string message, Exception? inner = null) : Exception(message, inner);
