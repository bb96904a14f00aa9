using System.Globalization;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Conformance;

/// <summary>
/// Cases drawn by lot: contents, formats and options in combinations that nobody thought of. The seed is in every message; CONFORMANCE_SEED sets
/// it, CONFORMANCE_COUNT says how many cases are drawn.
/// </summary>
public sealed class GeneratedTests(Sandbox sandbox) : IClassFixture<Sandbox>
{
    private static readonly string[] Formats = ["raw", "qcow2", "vmdk", "vdi", "vpc", "vhdx", "qed", "parallels"];

    private readonly int _count = FromEnvironment("CONFORMANCE_COUNT", 12);

    [SkippableFact]
    public void Conversions() => Draw(FromEnvironment("CONFORMANCE_SEED", 1), Conversion);

    [SkippableFact]
    public void Maps() => Draw(FromEnvironment("CONFORMANCE_SEED", 2), Map);

    [SkippableFact]
    public void Rebases() => Draw(FromEnvironment("CONFORMANCE_SEED", 3), Rebase);

    [SkippableFact]
    public void Overlays() => Draw(FromEnvironment("CONFORMANCE_SEED", 4), Overlay);

    private void Draw(int seed, Func<Random, ConformanceCase> make)
    {
        QemuTools.Require();
        for (int i = 0; i < _count; i++)
        {
            int own = unchecked((seed * 10_007) + i);
            ConformanceCase test = make(new Random(own));
            List<Difference> differences = sandbox.Differences(test);
            Assert.True(differences.Count == 0,
                $"CONFORMANCE_SEED={seed}, case {i}\n{string.Join('\n', test.Setup)}\n{string.Join('\n', test.Steps)}\n{string.Join('\n', differences)}");
        }
    }

    private static ConformanceCase Conversion(Random random)
    {
        string format = Pick(random, Formats);
        bool compressed = format == "qcow2" && random.Next(4) == 0;
        List<string> words = ["convert"];
        Maybe(random, words, "-m 3");
        Maybe(random, words, "-T none");
        Maybe(random, words, "-t writeback");
        if (compressed)
        {
            words.Add("-c");
        }
        else if (random.Next(3) == 0)
        {
            words.Add($"-S {Pick(random, "0", "4k", "64k", "512")}");
        }

        if (format == "qcow2" && random.Next(2) == 0)
        {
            words.Add($"-o {Pick(random, "cluster_size=4k", "cluster_size=128k", "compat=0.10", "refcount_bits=8", "lazy_refcounts=on", "extended_l2=on")}");
        }

        words.Add($"-O {format} top.qcow2");
        if (random.Next(4) == 0)
        {
            words.Add("base.qcow2");
        }

        words.Add("x");
        return new ConformanceCase
        {
            Command = "convert",
            Topic = "generated",
            Format = format,
            Setup = Chain(random),
            Steps = [string.Join(' ', words)],
            Images = [$"x:{format}"],
            SameLayout = format is "raw" or "qcow2" or "vdi" && !compressed,
        };
    }

    // A disk that stands on nothing becomes one that stands on another.
    private static ConformanceCase Overlay(Random random)
    {
        string source = Pick(random, "base.qcow2", "other.qcow2", "flat.raw", "-l one base.qcow2");
        string under = Pick(random, "base.qcow2 -F qcow2", "other.qcow2 -F qcow2", "flat.raw -F raw");
        string format = Pick(random, "qcow2", "qcow2", "qed");
        List<string> words = ["convert"];
        Maybe(random, words, $"-S {Pick(random, "0", "4k", "64k")}");
        Maybe(random, words, format == "qcow2" ? $"-o {Pick(random, "cluster_size=4k", "extended_l2=on", "compat=0.10")}" : "-o cluster_size=16k");
        return new ConformanceCase
        {
            Command = "convert",
            Topic = "generated",
            Format = format,
            Setup = [.. Chain(random), "img snapshot -c one base.qcow2", "io qcow2 base.qcow2 'write -z 0 512'"],
            Steps = [$"{string.Join(' ', words)} -O {format} -B {under} {source} x", "compare x base.qcow2", "convert -O raw x x.raw"],
            Images = ["x.raw:raw"],
            SameLayout = false,
            IgnoresDiskSize = true,
        };
    }

    private static ConformanceCase Map(Random random) => new()
    {
        Command = "map",
        Topic = "generated",
        Setup = Chain(random),
        Steps =
        [
            "map --output=json top.qcow2",
            "map top.qcow2",
            $"map --output=json --start-offset={random.Next(4 << 20)} --max-length={random.Next(4 << 20)} top.qcow2",
            "info --output=json --backing-chain top.qcow2",
            "compare top.qcow2 base.qcow2",
            "check --output=json top.qcow2",
            "measure -O qcow2 -f raw flat.raw",
        ],
    };

    private static ConformanceCase Rebase(Random random) => new()
    {
        Command = "rebase",
        Topic = "generated",
        Setup = Chain(random),
        Steps = [$"rebase -b {Pick(random, "'' top.qcow2", "other.qcow2 -F qcow2 top.qcow2", "base.qcow2 -F qcow2 top.qcow2")}", "compare -F raw top.qcow2 flat.raw"],
    };

    // A base, an overlay of another cluster size and length, both written to at random, and the overlay's content as raw.
    private static List<string> Chain(Random random)
    {
        string baseCluster = Pick(random, "512", "4k", "64k", "1M");
        string topCluster = Pick(random, "4k", "64k", "256k");
        int baseSize = random.Next(1, 10_000) * 512;
        int topSize = random.Next(1, 10_000) * 512;
        return
        [
            $"img create -q -f qcow2 -o cluster_size={baseCluster} base.qcow2 {baseSize}",
            $"io qcow2 base.qcow2 {Writes(random, baseSize)}",
            $"img create -q -f qcow2 -o cluster_size={topCluster} -b base.qcow2 -F qcow2 top.qcow2 {topSize}",
            $"io qcow2 top.qcow2 {Writes(random, topSize)}",
            $"img create -q -f qcow2 other.qcow2 {random.Next(1, 10_000) * 512}",
            "img convert -O raw top.qcow2 flat.raw",
        ];
    }

    private static string Writes(Random random, int size)
    {
        List<string> writes = [];
        for (int i = random.Next(1, 8); i > 0; i--)
        {
            int offset = random.Next(size / 512) * 512;
            int length = Math.Min(size - offset, random.Next(1, 2000) * 512);
            string command = Pick(random, $"write -P {random.Next(1, 256)}", $"write -P {random.Next(1, 256)}", "write -P 0", "write -z", "write -z -u");
            writes.Add(string.Create(CultureInfo.InvariantCulture, $"'{command} {offset} {length}'"));
        }

        return string.Join(' ', writes);
    }

    private static void Maybe(Random random, List<string> words, string word)
    {
        if (random.Next(3) == 0)
        {
            words.Add(word);
        }
    }

    private static string Pick(Random random, params string[] choices) => choices[random.Next(choices.Length)];

    private static int FromEnvironment(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out int value) ? value : otherwise;
}
