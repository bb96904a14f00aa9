namespace ImageCluster.Faults;

/// <summary>What must hold did not.</summary>
internal sealed class FaultException(string message) : Exception(message);
