using System.Globalization;

namespace ImageCluster.Imaging.Storage.Nbd;

/// <summary>
/// Names of exports: <c>nbd://host[:port][/export]</c>, <c>nbd+unix:///[export]?socket=path</c> and the older
/// <c>nbd:host:port[:exportname=export]</c>, <c>nbd:unix:path[:exportname=export]</c> (QEMU's manual, "NBD access"). Messages are QEMU's.
/// </summary>
public static class NbdName
{
    private const string ExportMark = ":exportname=";

    public static NbdAddress Parse(string name)
    {
        NbdAddress address = name.Contains("://", StringComparison.Ordinal) ? ParseUrl(name) : ParseOld(name);
        return Checked(address, name);
    }

    /// <summary>Refuses what cannot be sent or connected to.</summary>
    internal static NbdAddress Checked(NbdAddress address, string? name)
    {
        if (address.SocketPath is { } path && NameText.GetByteCount(path) is var bytes && (bytes >= 108 || path.Contains('\0')))
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, name, $"UNIX socket path '{path}' is too long")
            {
                Hint = "Path must be less than 108 bytes",
            };
        }

        return NameText.GetByteCount(address.Export) <= NbdWire.MaxString
            ? address
            : throw new ImageException(ImageErrorKind.InvalidArgument, name, "export name too long to send to server");
    }

    private static NbdAddress ParseUrl(string name)
    {
        int schemeEnd = name.IndexOf("://", StringComparison.Ordinal);
        string rest = name[(schemeEnd + 3)..];
        int fragment = rest.IndexOf('#');
        rest = fragment < 0 ? rest : rest[..fragment];
        int question = rest.IndexOf('?');
        string query = question < 0 ? "" : rest[(question + 1)..];
        rest = question < 0 ? rest : rest[..question];
        int slash = rest.IndexOf('/');
        string server = slash < 0 ? rest : rest[..slash];
        string export = slash < 0 ? "" : Uri.UnescapeDataString(rest[(slash + 1)..]);
        NbdAddress address = ParseQuery(name, query) with { Export = export };
        switch (name[..schemeEnd])
        {
            case "nbd+unix" when server.Length == 0 && address.SocketPath is not null:
                return address;
            case "nbd" or "nbd+tcp" when server.Length > 0 && address.SocketPath is null:
                (string host, string? port) = SplitServer(name, server);
                return port is null ? address with { Host = host } : address with { Host = host, Port = port };
            default:
                throw NotValid(name);
        }
    }

    private static NbdAddress ParseQuery(string name, string query)
    {
        NbdAddress address = new();
        foreach (string part in query.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            int equals = part.IndexOf('=');
            string value = equals < 0 ? "" : Uri.UnescapeDataString(part[(equals + 1)..]);
            address = (equals < 0 ? part : part[..equals]) switch
            {
                "socket" when address.SocketPath is null => address with { SocketPath = value },
                "tls-creds" => address with { TlsCredentials = value },
                "tls-hostname" => address with { TlsHostName = value },
                "x-dirty-bitmap" => address with { DirtyBitmap = value },
                _ => throw NotValid(name),
            };
        }

        return address;
    }

    private static (string Host, string? Port) SplitServer(string name, string server)
    {
        int at = server.LastIndexOf('@');
        server = server[(at + 1)..];
        int close = server.StartsWith('[') ? server.IndexOf(']') : -1;
        int colon = close < 0 ? server.IndexOf(':') : close + 1;
        if (colon < 0 || colon >= server.Length)
        {
            return (Host(server), null);
        }

        string port = server[(colon + 1)..];
        bool isPort = server[colon] == ':' && (port.Length == 0 || ushort.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out _));
        return isPort ? (Host(server[..colon]), port is "" or "0" ? null : port) : throw NotValid(name);

        string Host(string text)
        {
            text = close > 0 ? text[1..close] : Uri.UnescapeDataString(text);
            return text.Length > 0 ? text : throw NotValid(name);
        }
    }

    private static NbdAddress ParseOld(string name)
    {
        int mark = name.IndexOf(ExportMark, StringComparison.Ordinal);
        string export = mark < 0 ? "" : name[(mark + ExportMark.Length)..];
        string spec = mark < 0 ? name : name[..mark];
        if (!spec.StartsWith("nbd:", StringComparison.Ordinal))
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, name, "File name string for NBD must start with 'nbd:'");
        }

        spec = spec[4..];
        if (spec.Length == 0)
        {
            throw NbdOptions.NoAddress(name);
        }

        if (spec.StartsWith("unix:", StringComparison.Ordinal))
        {
            return new NbdAddress { SocketPath = spec[5..], Export = export };
        }

        // "host:port", then options of QEMU's socket layer, which say nothing that matters here.
        int comma = spec.IndexOf(',');
        string server = comma < 0 ? spec : spec[..comma];
        int close = server.StartsWith('[') ? server.IndexOf("]:", StringComparison.Ordinal) : -1;
        int colon = close > 0 ? close + 1 : server.LastIndexOf(':');
        if (colon < 0 || colon == server.Length - 1)
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, name, $"error parsing address '{spec}'");
        }

        return new NbdAddress { Host = close > 0 ? server[1..close] : server[..colon], Port = server[(colon + 1)..], Export = export };
    }

    private static ImageException NotValid(string name) => new(ImageErrorKind.InvalidArgument, name, "No valid URL specified");
}
