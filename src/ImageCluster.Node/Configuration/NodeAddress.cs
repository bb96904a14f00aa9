namespace ImageCluster.Node.Configuration;

/// <summary>Where something listens.</summary>
/// <param name="Bind">The address that connections are taken on.</param>
/// <param name="Host">What others reach it by.</param>
/// <param name="Port">0: the system chooses.</param>
public sealed record NodeAddress(string Bind, string Host, int Port);
