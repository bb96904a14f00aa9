namespace ImageCluster.Node.Configuration;

/// <summary>A PKCS#12 file with a certificate and its private key.</summary>
/// <param name="Path">Absolute.</param>
/// <param name="Password">May be empty.</param>
public sealed record CertificateFile(string Path, string Password)
{
    // The password is not for logs.
    public override string ToString() => Path;
}
