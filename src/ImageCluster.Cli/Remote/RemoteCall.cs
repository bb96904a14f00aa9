using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ImageCluster.Api;
using ImageCluster.Api.Client;
using ImageCluster.Work;

namespace ImageCluster.Cli.Remote;

/// <summary>One call of a command that asks a cluster: who is asked, how answers are shown, and what refusals become.</summary>
internal sealed class RemoteCall : IDisposable
{
    private RemoteCall(CliHost host, ClusterClient client, bool asJson) => (Host, Client, AsJson) = (host, client, asJson);

    public CliHost Host { get; }

    public ClusterClient Client { get; }

    public bool AsJson { get; }

    /// <summary>Who asks, for people.</summary>
    public static string By => Environment.UserName is { Length: > 0 } user ? user : "imagecluster";

    /// <summary>Runs what a command does with its cluster.</summary>
    public static int Run(ParseResult parsed, RemoteOptions options, CliHost host, Func<RemoteCall, CancellationToken, Task<int>> run)
    {
        bool asJson = parsed.GetValue(options.Output) switch
        {
            null or "text" => false,
            "json" => true,
            string other => throw CliException.Usage($"--output '{other}' is not known", "use text or json"),
        };
        return Run(parsed, options, host, asJson, run);
    }

    public static int Run(ParseResult parsed, RemoteOptions options, CliHost host, bool asJson, Func<RemoteCall, CancellationToken, Task<int>> run)
    {
        using var call = new RemoteCall(host, new ClusterClient(Url(parsed, options, host), Token(parsed, options, host)), asJson);
        try
        {
            // Not on the caller's context, which may be what it would wait for.
            return Task.Run(() => run(call, host.Stop)).GetAwaiter().GetResult();
        }
        catch (OperationRefusedException e)
        {
            // Everything that is wrong with a manifest, a line each.
            IEnumerable<string> lines = e.Details.Count > 0 ? e.Details : [e.Message];
            foreach (string line in lines.SkipLast(1))
            {
                host.Error.WriteLine($"imagecluster: {ErrorText.OneLine(line)}");
            }

            throw new CliException(ExitCodeOf(e.Reason), lines.Last(), HintFor(e.Reason));
        }
    }

    public void Dispose() => Client.Dispose();

    /// <summary>Shows a document to programs.</summary>
    public void WriteJson<T>(T document, JsonTypeInfo<T> type) => Host.Out.WriteLine(JsonSerializer.Serialize(document, type));

    internal static int ExitCodeOf(RefusalReason reason) => reason switch
    {
        RefusalReason.Invalid => ExitCode.Usage,
        RefusalReason.Unavailable or RefusalReason.Unauthorized => ExitCode.Unreachable,
        RefusalReason.Internal => ExitCode.Internal,
        _ => ExitCode.Refused,
    };

    private static string? HintFor(RefusalReason reason) => reason switch
    {
        RefusalReason.Unauthorized => $"set {RemoteOptions.TokenVariable}, or give --token-file FILE",
        RefusalReason.Busy => "try again later",
        _ => null,
    };

    private static Uri Url(ParseResult parsed, RemoteOptions options, CliHost host)
    {
        string text = parsed.GetValue(options.Cluster) ?? host.Variable(RemoteOptions.UrlVariable)
            ?? throw CliException.Usage("no cluster is named", $"give --cluster URL or set {RemoteOptions.UrlVariable}");
        return Uri.TryCreate(text, UriKind.Absolute, out Uri? url) && url.Scheme is "http" or "https"
            ? url
            : throw CliException.Usage($"'{text}' is not the URL of a cluster", "it looks like http://node1:8080");
    }

    private static string? Token(ParseResult parsed, RemoteOptions options, CliHost host)
    {
        if (parsed.GetValue(options.TokenFile) is { } named)
        {
            return ReadToken(named, host);
        }

        return host.Variable(RemoteOptions.TokenVariable) is { Length: > 0 } token ? token
            : host.Variable(RemoteOptions.TokenFileVariable) is { Length: > 0 } file ? ReadToken(file, host)
            : null;
    }

    private static string ReadToken(string file, CliHost host)
    {
        try
        {
            string token = File.ReadAllText(Path.GetFullPath(file, host.Directory)).Trim();
            return token.Length > 0 && !token.Any(char.IsControl) ? token : throw CliException.Usage($"{file}: there is no token in it");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CliException.Usage($"{file}: {e.Message.ReplaceLineEndings(" ")}");
        }
    }
}
