using System.Globalization;

namespace ImageCluster.Imaging.Storage.Nbd;

/// <summary>Where an export is: a socket's path, or a host and port; and the export's name.</summary>
public sealed record NbdAddress
{
    /// <summary>The path of a Unix socket; null for TCP.</summary>
    public string? SocketPath { get; init; }

    /// <summary>A name or a numerical address without brackets; empty for a Unix socket.</summary>
    public string Host { get; init; } = "";

    /// <summary>A number, or a name of a service.</summary>
    public string Port { get; init; } = NbdWire.DefaultPort.ToString(CultureInfo.InvariantCulture);

    /// <summary>Empty for the default export.</summary>
    public string Export { get; init; } = "";

    /// <summary>The id of the TLS credentials (<c>--object tls-creds-x509,id=...</c>) to use; null for a connection in the clear.</summary>
    public string? TlsCredentials { get; init; }

    /// <summary>The name that the server's certificate is to have; null for <see cref="Host"/>.</summary>
    public string? TlsHostName { get; init; }

    /// <summary>The metadata context to ask for instead of what tells holes and zeros (QEMU's x-dirty-bitmap, e.g. <c>qemu:dirty-bitmap:b0</c>); null for that.</summary>
    public string? DirtyBitmap { get; init; }

    /// <summary>The server, as QEMU's messages name it.</summary>
    public string Server => SocketPath ?? $"{Host}:{Port}";

    /// <summary>A name that <see cref="NbdName.Parse"/> takes back to this address.</summary>
    public string ToName()
    {
        List<string> query = [];
        if (SocketPath is not null)
        {
            query.Add("socket=" + Escape(SocketPath));
        }

        if (TlsCredentials is not null)
        {
            query.Add("tls-creds=" + Escape(TlsCredentials));
        }

        if (TlsHostName is not null)
        {
            query.Add("tls-hostname=" + Escape(TlsHostName));
        }

        if (DirtyBitmap is not null)
        {
            query.Add("x-dirty-bitmap=" + Escape(DirtyBitmap));
        }

        string host = Host.Contains(':') ? $"[{Host}]" : Host;
        string server = SocketPath is null ? $"nbd://{host}:{Port}" : "nbd+unix://";
        string export = Export.Length > 0 ? "/" + Escape(Export) : "";
        return server + export + (query.Count > 0 ? "?" + string.Join('&', query) : "");
    }

    /// <summary>The name that QEMU shows (nothing is escaped).</summary>
    public override string ToString()
    {
        string export = Export.Length > 0 ? "/" + Export : "";
        return SocketPath is null ? $"nbd://{Host}:{Port}{export}" : $"nbd+unix://{export}?socket={SocketPath}";
    }

    // Slashes may stand in a path and in a query as they are.
    private static string Escape(string text) => Uri.EscapeDataString(text).Replace("%2F", "/", StringComparison.Ordinal);
}
