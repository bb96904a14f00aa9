using System.Diagnostics;
using ImageCluster.Api.Client;
using ImageCluster.Api.Documents;
using ImageCluster.Cli.Demonstrating;
using ImageCluster.Cli.Remote;

namespace ImageCluster.Cluster.Scale;

/// <summary>
/// What the cluster adds to the conversion of one image: the real programs, one node that is coordinator and worker with two slots, against one process
/// that does the same work: <c>qemu-img convert -t writeback</c>, after which all is on the disk. What a digest of the guest's bytes costs beyond is told too.
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
        var alone = new List<TimeSpan>();
        var clustered = new List<TimeSpan>();
        var hashed = new List<TimeSpan>();
        using DemoNode node = await StartAsync(place);
        using var client = new ClusterClient(node.Url!, null);
        await ConvertAsync(client, place, "small", "warm-up", takesDigest: true);
        for (int round = 0; round < rounds; round++)
        {
            alone.Add(await AloneAsync(place, "qemu-img", "convert", "-t", "writeback", "-f", "raw", "-O", format, Path.Join(place, "source.img"), Path.Join(place, "alone", "source.qcow2")));
            clustered.Add(await ConvertAsync(client, place, "source", $"{round}", takesDigest: false));
            hashed.Add(await ConvertAsync(client, place, "source", $"{round}-digest", takesDigest: true));
            report.Say($"round {round + 1}: {alone[^1].TotalSeconds:0.00} s qemu-img convert -t writeback, {clustered[^1].TotalSeconds:0.00} s cluster, {hashed[^1].TotalSeconds:0.00} s cluster with a digest");
        }

        await node.StopAsync();
        report.Say($"{Median(hashed, alone):0.000} times the time of 'qemu-img convert -t writeback' with a digest of the guest's bytes");
        report.AtMost("times the time of 'qemu-img convert -t writeback'", Median(clustered, alone), MostTimes);
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

    private async Task<TimeSpan> AloneAsync(string place, string name, params string[] arguments)
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

        TimeSpan time = watch.Elapsed;
        System.IO.Directory.Delete(target, recursive: true);
        return time;
    }

    private async Task<TimeSpan> ConvertAsync(ClusterClient client, string place, string image, string id, bool takesDigest)
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
                Digest = takesDigest,
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
