using ImageCluster.Cli.Migrating;
using ImageCluster.Cli.Progress;
using ImageCluster.Jobs.Manifests;

namespace ImageCluster.Cli.Demonstrating;

/// <summary>The whole demo: disks, a manifest, its plan, the migration, and what to try next.</summary>
internal sealed class Demo(CliHost host, string directory)
{
    private const string ManifestText = """
        version: 1
        name: demo
        sources:
          - root: ./disks
            include: "*.{raw,qcow2,vmdk}"
        target:
          root: ./migrated
          format: qcow2
          existing: replace
        verify: compare
        """;

    public int Run()
    {
        DemoDirectory.Prepare(directory, Shown(directory));
        host.Out.WriteLine($"Making disks in {Shown(Path.Join(directory, "disks"))}");
        var disks = new DemoDisks(host, Path.Join(directory, "disks"));
        disks.Make();

        string manifest = Path.Join(directory, "demo.yaml");
        File.WriteAllText(manifest, ManifestText + "\n");
        Directory.CreateDirectory(Path.Join(directory, "migrated"));
        var request = new MigrateRequest { Manifest = ManifestParser.Parse(ManifestText, manifest), BaseDirectory = directory };
        host.Out.WriteLine();
        host.Out.WriteLine($"{Command} migrate --plan {Shown(manifest)}");
        int planned = new MigrationSession(host, request, OutputForm.Auto).ShowPlan();
        if (planned != ExitCode.Done)
        {
            return planned;
        }

        host.Out.WriteLine();
        host.Out.WriteLine($"{Command} migrate {Shown(manifest)}");
        int migrated = new MigrationSession(host, request, OutputForm.Auto).Migrate();
        if (migrated == ExitCode.Done)
        {
            WriteWhatNext(disks, manifest);
        }

        return migrated;
    }

    /// <summary>How this program is called here: by the script of a clone where there is one.</summary>
    internal static string CommandFor(string baseDirectory, string workingDirectory)
    {
        string script = Path.GetFullPath(Path.Join(baseDirectory, "..", "..", "imagecluster"));
        if (!File.Exists(script))
        {
            return "imagecluster";
        }

        string relative = Path.GetRelativePath(workingDirectory, script);
        return relative == "imagecluster" ? "./imagecluster" : relative.StartsWith("../..", StringComparison.Ordinal) ? script : relative;
    }

    private string Command => CommandFor(AppContext.BaseDirectory, host.Directory);

    private void WriteWhatNext(DemoDisks disks, string manifest)
    {
        string source = Shown(disks.Overlay);
        string target = Shown(Path.Join(directory, "migrated", "server-today.qcow2"));
        string raw = Shown(Path.Join(directory, "server-today.raw"));
        string[] lines =
        [
            "",
            "What to try next:",
            $"  {Command} migrate {Shown(manifest)}          # again: nothing is left to do",
            $"  {Command} digest --check {Shown(Path.Join(directory, "migrated", ".imagecluster", "demo.report.json"))}",
            $"  {Command} img info --backing-chain {source}",
            $"  qemu-img check {target}",
            $"  qemu-img compare {source} {target}",
            .. disks.HasFileSystem
                ? new[] { $"  {Command} img convert -O raw {target} {raw}", $"  e2fsck -fn {raw}" }
                : [],
            $"  rm -r {Shown(directory)}",
        ];
        foreach (string line in lines)
        {
            host.Out.WriteLine(line);
        }
    }

    // As one would type it.
    private string Shown(string path)
    {
        string relative = Path.GetRelativePath(host.Directory, path);
        return relative.StartsWith("../..", StringComparison.Ordinal) ? path : relative;
    }
}
