using System.CommandLine;
using ImageCluster.Cli.Migrating;
using ImageCluster.Cli.Progress;
using ImageCluster.Jobs.Manifests;

namespace ImageCluster.Cli.Commands;

/// <summary><c>imagecluster migrate</c>: a directory of images, or what a manifest says, on this machine.</summary>
internal static class MigrateCommand
{
    private const string Description = """
        Convert many images on this machine, verified and resumable.

        Kill it at any instant and run the same command again: it goes on where it was. Targets get their names only when they are whole.
        Exit codes: 0 all done, 1 some images failed, 2 wrong arguments or manifest, 4 refused (it does not fit, targets collide, ...), 130 stopped.

          imagecluster migrate --to qcow2 /vmware/*.vmdk /var/lib/libvirt/images
          imagecluster migrate --plan migration.yaml
          imagecluster migrate migration.yaml
        """;

    public static Command Create(CliHost host)
    {
        var options = new MigrateOptions();
        var command = new Command("migrate", Description) { options.Files };
        foreach (Option option in options.All)
        {
            command.Options.Add(option);
        }

        command.SetAction(parsed => Run(parsed, options, host));
        return command;
    }

    private static int Run(ParseResult parsed, MigrateOptions options, CliHost host)
    {
        OutputForm form = parsed.GetValue(options.Output) switch
        {
            null or "auto" => OutputForm.Auto,
            "plain" => OutputForm.Plain,
            "json-lines" => OutputForm.JsonLines,
            "json" => OutputForm.Json,
            string other => throw CliException.Usage($"--output '{other}' is not known", "use auto, plain, json-lines or json"),
        };
        MigrateRequest request;
        try
        {
            request = MigrateArguments.Read(parsed, options, host.Directory);
        }
        catch (ManifestException e)
        {
            foreach (string line in e.Lines)
            {
                host.Error.WriteLine($"imagecluster: {line}");
            }

            return ExitCode.Usage;
        }

        if (parsed.GetValue(options.PrintManifest))
        {
            host.Out.Write(ManifestWriter.Write(request.Manifest));
            return ExitCode.Done;
        }

        var session = new MigrationSession(host, request, form);
        return parsed.GetValue(options.Plan) ? session.ShowPlan() : session.Migrate();
    }
}
