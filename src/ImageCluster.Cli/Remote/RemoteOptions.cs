using System.CommandLine;

namespace ImageCluster.Cli.Remote;

/// <summary>The options of every command that asks a cluster.</summary>
internal sealed class RemoteOptions
{
    public const string UrlVariable = "IMAGECLUSTER_URL";

    public const string TokenVariable = "IMAGECLUSTER_TOKEN";

    public const string TokenFileVariable = "IMAGECLUSTER_TOKEN_FILE";

    /// <summary>What the help of each of them says at the end.</summary>
    public const string Remarks = $"""
        The cluster is named by --cluster or {UrlVariable}, its token by {TokenVariable}, --token-file or {TokenFileVariable}.

        Exit codes:
          0  done                              4    refused: there is no such thing, or not in this state
          1  the migration or job failed       5    the cluster does not answer, or wants another token
          2  wrong arguments or manifest       130  stopped by a signal
        """;

    public Option<string?> Cluster { get; } = new("--cluster") { Description = $"A node of the cluster [default: {UrlVariable}].", HelpName = "URL" };

    public Option<string?> TokenFile { get; } = new("--token-file")
    {
        Description = $"A file with the cluster's token [default: {TokenVariable}, {TokenFileVariable}].",
        HelpName = "FILE",
    };

    public Option<string?> Output { get; } = new("--output") { Description = "'text' (the default) or 'json'.", HelpName = "FORM" };

    public void AddTo(Command command)
    {
        command.Options.Add(Cluster);
        command.Options.Add(TokenFile);
        command.Options.Add(Output);
    }
}
