namespace ImageCluster.Imaging.Storage.Http;

/// <summary>What a netrc file says of one machine.</summary>
/// <param name="Machine">Host, or host:port; null for the entry <c>default</c>, which is not used: a secret is for a host that is named.</param>
internal sealed record NetrcEntry(string? Machine, string? Login, string? Password, string? Token)
{
    public bool IsFor(string host, int port) => Machine is not null
        && (Machine.Equals(host, StringComparison.OrdinalIgnoreCase) || Machine.Equals($"{host}:{port}", StringComparison.OrdinalIgnoreCase));

    /// <summary>Without the secrets.</summary>
    public override string ToString() => $"NetrcEntry({Machine}, {Login})";
}
