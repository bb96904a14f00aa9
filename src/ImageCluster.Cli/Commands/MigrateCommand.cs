using System.CommandLine;
using ImageCluster.Cli.Migrating;
using ImageCluster.Cli.Progress;
using ImageCluster.Jobs.Manifests;

namespace ImageCluster.Cli.Commands;

/// <summary><c>imagecluster migrate</c>: a directory of images, or what a manifest says, on this machine.</summary>
internal static class MigrateCommand
{
    public const string Remarks = """
        Kill it at any instant and run the same command again: it goes on where it was. Targets get their names only when they are whole;
        journal and report lie in TARGET_DIR/.imagecluster.

        Exit codes:
          0  all images are done               4    refused before a byte was written: it does not fit, targets
          1  some images failed                     collide, the migration is running already
          2  wrong arguments or manifest       130  stopped by a signal; the same command goes on

        Examples:
          imagecluster migrate --to qcow2 /vmware/*.vmdk /var/lib/libvirt/images
          imagecluster migrate --to qcow2 -c -o compression_type=zstd /mnt/old-disks /srv/archive
          imagecluster migrate --plan migration.yaml
          imagecluster migrate migration.yaml
        """;

    public static Command Create(CliHost host)
    {
        var options = new MigrateOptions();
        var command = new Command("migrate", "Convert many images on this machine, verified and resumable.") { options.Files };
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
