namespace ImageCluster.Imaging.Storage.ObjectStore;

/// <summary>The keys of an account.</summary>
/// <param name="AccessKey">Public.</param>
/// <param name="SecretKey">Secret; signs requests and never leaves this process.</param>
/// <param name="SessionToken">Sent with each request where keys are temporary; null otherwise.</param>
public sealed record S3Credentials(string AccessKey, string SecretKey, string? SessionToken = null)
{
    /// <summary>Without the secrets.</summary>
    public override string ToString() => $"S3Credentials({AccessKey})";
}
