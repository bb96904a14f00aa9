using System.Globalization;

namespace ImageCluster.Imaging.Storage.Nbd;

/// <summary>The options of QEMU's nbd driver (<c>server.type=unix,server.path=...</c>), in its words where one is missing or wrong.</summary>
internal static class NbdOptions
{
    public static IReadOnlyList<string> Names { get; } =
    [
        "server.type", "server.path", "server.host", "server.port", "server.ipv4", "server.ipv6", "server.numeric", "server.to",
        "server.keep-alive", "server.mptcp", "server.abstract", "server.tight", "host", "port", "path", "export", "tls-creds", "tls-hostname",
        "reconnect-delay", "open-timeout", "x-dirty-bitmap",
    ];

    public static NbdAddress Parse(IReadOnlyDictionary<string, string> options)
    {
        CheckNumber(options, "reconnect-delay");
        CheckNumber(options, "open-timeout");
        return NbdName.Checked(Server(options) with
        {
            Export = options.GetValueOrDefault("export") ?? "",
            TlsCredentials = options.GetValueOrDefault("tls-creds"),
            TlsHostName = options.GetValueOrDefault("tls-hostname"),
            DirtyBitmap = options.GetValueOrDefault("x-dirty-bitmap"),
        }, null);
    }

    public static ImageException NoAddress(string? name) => new(ImageErrorKind.InvalidArgument, name, "NBD server address missing");

    private static NbdAddress Server(IReadOnlyDictionary<string, string> options)
    {
        string? path = options.GetValueOrDefault("path");
        string? host = options.GetValueOrDefault("host");
        string? port = options.GetValueOrDefault("port");
        bool isNested = options.Keys.Any(static key => key.StartsWith("server.", StringComparison.Ordinal));
        if (isNested)
        {
            return path is null && host is null && port is null
                ? Nested(options)
                : throw Invalid("Cannot use 'server' and path/host/port at the same time");
        }

        return (path, host) switch
        {
            ({ }, { }) => throw Invalid("path and host may not be used at the same time"),
            ({ }, _) when port is not null => throw Invalid("port may not be used without host"),
            ({ }, _) => new NbdAddress { SocketPath = path },
            (_, { }) => port is null ? new NbdAddress { Host = host } : new NbdAddress { Host = host, Port = port },
            _ => throw NoAddress(null),
        };
    }

    private static NbdAddress Nested(IReadOnlyDictionary<string, string> options) => Needed(options, "type") switch
    {
        "unix" => new NbdAddress { SocketPath = Needed(options, "path") },
        "inet" => new NbdAddress { Host = Needed(options, "host"), Port = Needed(options, "port") },
        "vsock" or "fd" => throw new ImageException(ImageErrorKind.Unsupported, null, "Only Unix and TCP sockets are supported"),
        var type => throw Invalid($"Parameter 'type' does not accept value '{type}'"),
    };

    private static string Needed(IReadOnlyDictionary<string, string> options, string name) =>
        options.GetValueOrDefault("server." + name) ?? throw Invalid($"Parameter '{name}' is missing");

    private static void CheckNumber(IReadOnlyDictionary<string, string> options, string name)
    {
        if (options.TryGetValue(name, out string? text) && !uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out _))
        {
            throw Invalid($"Parameter '{name}' expects a number");
        }
    }

    private static ImageException Invalid(string message) => new(ImageErrorKind.InvalidArgument, null, message);
}
