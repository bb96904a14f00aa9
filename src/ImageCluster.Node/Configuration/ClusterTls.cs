namespace ImageCluster.Node.Configuration;

/// <summary>TLS between nodes.</summary>
/// <param name="Certificate">The node's own.</param>
/// <param name="AuthorityPath">Absolute: a PEM file with the authorities that certificates of nodes come from; null: any certificate is taken, for trials.</param>
public sealed record ClusterTls(CertificateFile Certificate, string? AuthorityPath);
