using System.CommandLine;
using System.Security.Cryptography;
using ImageCluster.Api;
using ImageCluster.Api.Documents;
using ImageCluster.Cli.Remote;
using ImageCluster.Jobs.Manifests;

namespace ImageCluster.Cli.Commands;

/// <summary><c>imagecluster submit</c>: a manifest to a cluster.</summary>
internal static class SubmitCommand
{
    public const string Remarks = $"""
        The manifest is the one that 'migrate' takes; its roots are names that the cluster's nodes know. The migration goes on without this program.
        The same manifest by the same --id again changes nothing, so a submission can be repeated when nobody knows whether it arrived.

        {RemoteOptions.Remarks}
        """;

    public static Command Create(CliHost host)
    {
        var options = new RemoteOptions();
        var manifest = new Argument<string>("MANIFEST") { Description = "A manifest (YAML or JSON)." };
        var id = new Option<string?>("--id") { Description = "What the migration shall be called by [default: made of its name].", HelpName = "ID" };
        var watch = new Option<bool>("--watch") { Description = "Watch it until it is over." };
        var command = new Command("submit", "Submit a migration to a cluster.") { manifest, id, watch };
        options.AddTo(command);
        command.SetAction(parsed =>
        {
            string file = parsed.GetValue(manifest)!;
            string text = ManifestFile.ReadText(Path.GetFullPath(file, host.Directory), file);
            MigrationManifest read;
            try
            {
                // Here too, since a typing mistake should not need a cluster to be found.
                read = ManifestParser.Parse(text, file);
            }
            catch (ManifestException e)
            {
                foreach (string line in e.Lines)
                {
                    host.Error.WriteLine($"imagecluster: {line}");
                }

                return ExitCode.Usage;
            }

            // Chosen here, so that a submission whose answer was lost is the same when it is repeated.
            var submission = new MigrationSubmission { Id = parsed.GetValue(id) ?? IdFor(read.Name), Manifest = text, By = RemoteCall.By };
            return RemoteCall.Run(parsed, options, host, (call, stop) => SubmitAsync(call, submission, parsed.GetValue(watch), stop));
        });
        return command;
    }

    private static async Task<int> SubmitAsync(RemoteCall call, MigrationSubmission submission, bool watch, CancellationToken stop)
    {
        MigrationDocument migration = await call.Client.SubmitMigrationAsync(submission, stop);
        if (call.AsJson)
        {
            call.WriteJson(migration, ApiJsonForms.Indented.MigrationDocument);
        }
        else
        {
            call.Host.Out.WriteLine($"Submitted as {migration.Id}.");
            call.Host.Out.WriteLine(watch ? "" : $"To follow it: imagecluster watch {migration.Id}");
        }

        return watch ? await WatchCommand.WatchAsync(call, migration.Id, call.AsJson ? Progress.OutputForm.Json : Progress.OutputForm.Auto, stop) : ExitCode.Done;
    }

    // Names may hold anything; ids have letters, digits, '.', '_' and '-'.
    private static string IdFor(string name)
    {
        string word = string.Concat(name.Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' ? c : '-')).Trim('-', '.', '_');
        word = word.Length > 60 ? word[..60] : word;
        return $"{(word.Length == 0 ? "migration" : word)}-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4))}";
    }
}
