using System.Diagnostics;
using ImageCluster.Api.Client;
using ImageCluster.Api.Documents;
using ImageCluster.Cli.Demonstrating;
using ImageCluster.Cli.Remote;

namespace ImageCluster.Cluster.Scale;

/// <summary>
/// What the cluster adds to the conversion of one image: the real programs, one node that is coordinator and worker with two slots, against one process
/// that does the same work (<c>imagecluster migrate</c>: guest's digest, journal, durable at the end). What that work costs beyond a bare
/// <c>qemu-img convert</c> is told too.
/// </summary>
/// <param name="programs">The directory <c>out</c> of <c>./imagecluster build</c>.</param>
internal sealed class ConvertMeasurement(string programs, string directory, int gibibytes, int rounds, string format)
{
    private const double MostTimes = 1.1;
    private const string Root = "disks";

    public async Task<int> RunAsync(TextWriter output)
    {
        string place = System.IO.Directory.CreateTempSubdirectory("imagecluster-convert-").FullName;
        System.IO.Directory.Delete(place);
        place = System.IO.Directory.CreateDirectory(Path.Join(Path.GetFullPath(directory), Path.GetFileName(place))).FullName;
        try
        {
            return await RunAsync(place, new Report(output));
        }
        finally
        {
            System.IO.Directory.Delete(place, recursive: true);
        }
    }

    private async Task<int> RunAsync(string place, Report report)
    {
        SourceImage.Make(Path.Join(place, "source.img"), (long)gibibytes << 30);
        SourceImage.Make(Path.Join(place, "small.img"), 64 << 20);
        report.Say($"{gibibytes} GiB raw, half of it data, to {format}; nothing is verified; {rounds} rounds");
        var cached = new List<TimeSpan>();
        var durable = new List<TimeSpan>();
        var alone = new List<TimeSpan>();
        var clustered = new List<TimeSpan>();
        using DemoNode node = await StartAsync(place);
        using var client = new ClusterClient(node.Url!, null);
        await ConvertAsync(client, place, "small", "warm-up");
        for (int round = 0; round < rounds; round++)
        {
            (TimeSpan Cached, TimeSpan Durable) converted = await AloneAsync(place, "qemu-img", "convert", "-t", "writeback", "-f", "raw", "-O", format, Path.Join(place, "source.img"), Path.Join(place, "alone", "source.qcow2"));
            cached.Add(converted.Cached);
            durable.Add(converted.Durable);
            alone.Add((await AloneAsync(place, "imagecluster", "migrate", "--verify", "none", "--no-digest", "-f", "raw", "-O", format, Path.Join(place, "source.img"), Path.Join(place, "alone"))).Durable);
            clustered.Add(await ConvertAsync(client, place, "source", $"{round}"));
            report.Say($"round {round + 1}: {cached[^1].TotalSeconds:0.00} s qemu-img convert -t writeback ({durable[^1].TotalSeconds:0.00} s until it is on the disk), {alone[^1].TotalSeconds:0.00} s imagecluster migrate, {clustered[^1].TotalSeconds:0.00} s cluster");
        }

        await node.StopAsync();
        report.Say($"{Median(clustered, cached):0.00} times the time of 'qemu-img convert -t writeback', which leaves what it wrote in memory");
        report.Say($"{Median(clustered, durable):0.00} times its time until all is on the disk; it takes no digest and is not resumable");
        report.AtMost("times the time of 'imagecluster migrate', one process that does the same", Median(clustered, alone), MostTimes);
        return report.ExitCode;
    }

    private async Task<DemoNode> StartAsync(string place)
    {
        var program = new NodeProgram(Path.GetFullPath(Path.Join(programs, "node", "imagecluster-node.dll")));
        DemoNode node = DemoNode.Start(program, 1, place,
        [
            "--cluster.port", "0", "--http.listen", "http://127.0.0.1:0", "--worker.slots", "2", "--worker.roots", $"{Root}={place}",
            "--journal.file", Path.Join(place, "journal.db"),
        ]);
        await node.WaitAsync(CancellationToken.None);
        using var client = new ClusterClient(node.Url!, null);
        while ((await client.ListWorkersAsync()).Items.Count == 0)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100));
        }

        return node;
    }

    /// <summary>Runs a program, and sends to the disk what it left in memory.</summary>
    private async Task<(TimeSpan Ended, TimeSpan Durable)> AloneAsync(string place, string name, params string[] arguments)
    {
        string program = Path.GetFullPath(Path.Join(programs, "bin", name));
        string target = System.IO.Directory.CreateDirectory(Path.Join(place, "alone")).FullName;
        var watch = Stopwatch.StartNew();
        using (Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!)
        {
            await process.StandardOutput.ReadToEndAsync();
            await process.WaitForExitAsync();
            if (process.ExitCode != 0)
            {
                throw new InvalidOperationException($"{program} ended with {process.ExitCode}");
            }
        }

        TimeSpan ended = watch.Elapsed;
        foreach (string written in System.IO.Directory.EnumerateFiles(target))
        {
            using Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle(written, access: FileAccess.ReadWrite);
            RandomAccess.FlushToDisk(file);
        }

        TimeSpan durable = watch.Elapsed;
        System.IO.Directory.Delete(target, recursive: true);
        return (ended, durable);
    }

    private async Task<TimeSpan> ConvertAsync(ClusterClient client, string place, string image, string id)
    {
        var watch = Stopwatch.StartNew();
        JobDocument job = await client.SubmitJobAsync(new JobSubmission
        {
            Id = id,
            Spec = new ConvertSpecDocument
            {
                Source = $"{Root}:{image}.img",
                SourceFormat = "raw",
                Target = $"{Root}:clustered.img",
                TargetFormat = format,
                Verify = "none",
                Digest = false,
            },
        });
        while (!job.IsOver)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20));
            job = await client.GetJobAsync(id);
        }

        TimeSpan time = watch.Elapsed;
        if (job.State != "succeeded")
        {
            throw new InvalidOperationException($"{job.State}: {job.Reason}");
        }

        File.Delete(Path.Join(place, "clustered.img"));
        return time;
    }

    private static double Median(IEnumerable<TimeSpan> times, IEnumerable<TimeSpan> others)
    {
        double[] ratios = [.. times.Zip(others, (time, other) => time / other).Order()];
        return (ratios[(ratios.Length - 1) / 2] + ratios[ratios.Length / 2]) / 2;
    }
}
