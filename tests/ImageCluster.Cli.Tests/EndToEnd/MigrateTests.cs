using System.Text.Json.Nodes;
using ImageCluster.Cli.Tests.Support;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Cli.Tests.EndToEnd;

/// <summary>Migrations that go as they should.</summary>
public sealed class MigrateTests : IDisposable
{
    private readonly Lab _lab = new();

    public void Dispose() => _lab.Dispose();

    [SkippableTheory]
    [InlineData("raw")]
    [InlineData("vmdk")]
    [InlineData("qcow2")]
    [InlineData("vdi")]
    public void ADirectoryBecomesADirectory(string format)
    {
        QemuTools.Require();
        _lab.AddRaw("a.raw", 1, 3 << 20);
        _lab.AddRaw("deep/er/b.img", 2, (1 << 20) + 512);
        // Neither qemu-img nor we can open a vmdk of no bytes.
        _lab.AddRaw("empty.raw", 0, format == "vmdk" ? 512 : 0);
        File.WriteAllText(_lab["src/notes.txt"], "not an image");
        CliRun run = _lab.Run("migrate", "--to", format, "src", "out", "--output", "json").Expect(0);

        Assert.Equal([$"a.{format}", $"deep/er/b.{format}", $"empty.{format}"], _lab.Targets());
        foreach ((string source, string target) in new[] { ("a.raw", "a"), ("deep/er/b.img", "deep/er/b"), ("empty.raw", "empty") })
        {
            QemuTools.Img("compare", "-f", "raw", "-F", format, _lab[$"src/{source}"], _lab[$"out/{target}.{format}"]);
        }

        JsonNode report = run.Json;
        Assert.Equal("done", (string?)report["outcome"]);
        Assert.Equal(3, (int)report["totals"]!["done"]!);
        foreach (JsonNode? image in report["images"]!.AsArray())
        {
            Assert.True((bool)image!["verified"]!);
            CliRun digest = _lab.Run("digest", (string)image["sourceFile"]!).Expect(0);
            Assert.StartsWith((string)image["digest"]!, digest.Output, StringComparison.Ordinal);
        }

        string file = Directory.GetFiles(_lab["out/.imagecluster"], "*.report.json").Single();
        Assert.Equal(run.Output, File.ReadAllText(file));
        CliRun check = _lab.Run("digest", "--check", file).Expect(0);
        Assert.Equal(3, check.Output.Split(": ok\n").Length - 1);
    }

    [SkippableFact]
    public void EncryptedImagesAreOpenedAndMadeByTheNamesOfSecrets()
    {
        QemuTools.Require();
        _lab.AddRaw("a.raw", 1, 3 << 20);
        Directory.CreateDirectory(_lab["passwords"]);
        File.WriteAllText(_lab["passwords/old"], "open sesame");
        File.WriteAllText(_lab["passwords/new"], "friend");
        string[] encrypt = ["--option", "encrypt.format=luks,encrypt.iter-time=10"];
        _lab.Run(["migrate", "--to", "qcow2", "src", "vault", .. encrypt, "--target-secret", "old", "--secrets", "passwords"]).Expect(0);
        File.WriteAllText(_lab["m.yaml"], """
            version: 1
            name: vault
            sources: [ { root: ./vault, include: "*.qcow2", secret: old } ]
            target: { root: ./src, name: "{name}.luks", format: luks, options: { iter-time: 10 }, secret: new }
            """);
        CliRun refused = _lab.Run("migrate", "m.yaml");
        Assert.NotEqual(0, refused.ExitCode);
        Assert.Contains("IMAGECLUSTER_SECRET_OLD", refused.Output + refused.Error, StringComparison.Ordinal);
        _lab.Run("migrate", "m.yaml", "--secrets", "passwords").Expect(0);
        QemuTools.Img("convert", "--object", $"secret,id=s,file={_lab["passwords/new"]}", "--image-opts", $"driver=luks,key-secret=s,file.filename={_lab["src/a.luks"]}",
            "-O", "raw", _lab["back.raw"]);
        QemuTools.Img("compare", "-f", "raw", "-F", "raw", _lab["src/a.raw"], _lab["back.raw"]);
        Assert.DoesNotContain(Directory.GetFiles(_lab["src/.imagecluster"]), file => File.ReadAllText(file).Contains("friend", StringComparison.Ordinal));
    }

    [Fact]
    public void TheSameCommandAgainDoesNothing()
    {
        _lab.AddRaw("a.raw", 1, 2 << 20);
        _lab.Run("migrate", "--to", "vmdk", "src", "out").Expect(0);
        DateTime before = File.GetLastWriteTimeUtc(_lab["out/a.vmdk"]);
        CliRun again = _lab.Run("migrate", "--to", "vmdk", "src", "out", "--threads", "1", "--rate", "1GiB").Expect(0);
        Assert.Contains("Nothing to do: of 1 image 1 done before.", again.Output, StringComparison.Ordinal);
        Assert.Contains("done in an earlier run", again.Output, StringComparison.Ordinal);
        Assert.Equal(before, File.GetLastWriteTimeUtc(_lab["out/a.vmdk"]));

        _lab.AddRaw("b.raw", 2, 1 << 20);
        CliRun more = _lab.Run("migrate", "--to", "vmdk", "src", "out").Expect(0);
        Assert.Contains("2 of 2 images done (1 verified), 1 of them before", more.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void ATargetThatIsGoneIsMadeAgain()
    {
        _lab.AddRaw("a.raw", 1, 1 << 20);
        _lab.Run("migrate", "--to", "raw", "src", "out").Expect(0);
        File.Delete(_lab["out/a.raw"]);
        _lab.Run("migrate", "--to", "raw", "src", "out").Expect(0);
        Assert.Equal(File.ReadAllBytes(_lab["src/a.raw"]), File.ReadAllBytes(_lab["out/a.raw"]));
    }

    [Theory]
    [InlineData("compare")]
    [InlineData("digest")]
    [InlineData("none")]
    public void EachWayOfVerifyingRecordsTheSameDigest(string verify)
    {
        _lab.AddRaw("a.raw", 7, (5 << 20) + 1536);
        string expected = _lab.Run("digest", "src/a.raw").Output.Split(' ')[0];
        foreach (string[] options in new[] { Array.Empty<string>(), ["-o", "subformat=streamOptimized"], ["-o", "subformat=twoGbMaxExtentFlat"] })
        {
            string target = $"out{options.Length}{options.LastOrDefault()}";
            CliRun run = _lab.Run(["migrate", "--to", "vmdk", "--verify", verify, "src", target, "--output", "json", .. options]).Expect(0);
            Assert.Equal(expected, (string?)run.Json["images"]![0]!["digest"]);
            Assert.Equal(verify != "none", (bool)run.Json["images"]![0]!["verified"]!);
        }
    }

    [Fact]
    public void ADigestThatNobodyWantsIsNotTaken()
    {
        _lab.AddRaw("a.raw", 7, 1 << 20);
        CliRun run = _lab.Run("migrate", "--to", "qcow2", "--no-digest", "src", "out", "--output", "json").Expect(0);
        Assert.Null(run.Json["images"]![0]!["digest"]);
        Assert.True((bool)run.Json["images"]![0]!["verified"]!);
        CliRun none = _lab.Run("migrate", "--to", "qcow2", "--no-digest", "--verify", "digest", "src", "out2").Expect(2);
        Assert.Contains("no digest is taken that targets could be verified by", none.Error, StringComparison.Ordinal);
        Assert.Contains("\ndigest: false\n", _lab.Run("migrate", "--to", "qcow2", "--no-digest", "src", "out", "--print-manifest").Expect(0).Output, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void AnImageOfSeveralFilesArrivesWhole()
    {
        QemuTools.Require();
        _lab.AddRaw("a.raw", 3, 2 << 20);
        _lab.Run("migrate", "--to", "vmdk", "-o", "subformat=monolithicFlat", "src", "out").Expect(0);
        Assert.Equal(["a-flat.vmdk", "a.vmdk"], _lab.Targets());
        QemuTools.Img("compare", _lab["src/a.raw"], _lab["out/a.vmdk"]);

        // As a source too: the extent is a part of the image, not one of its own.
        CliRun back = _lab.Run("migrate", "--to", "raw", "out", "back").Expect(0);
        Assert.Equal(["a.raw"], _lab.Targets("back"));
        Assert.Contains("a part of", back.Output, StringComparison.Ordinal);
        Assert.Equal(File.ReadAllBytes(_lab["src/a.raw"]), File.ReadAllBytes(_lab["back/a.raw"]));
    }

    [SkippableFact]
    public void ChainsAreFlattenedOrKept()
    {
        QemuTools.Require();
        _lab.AddRaw("base.raw", 4, 2 << 20);
        QemuTools.Img("create", "-q", "-f", "qcow2", "-b", "base.raw", "-F", "raw", _lab["src/mid.qcow2"], "3M");
        QemuTools.Io(_lab["src/mid.qcow2"], "qcow2", "write -P 7 100k 300k", "write -P 9 2560k 64k");
        QemuTools.Img("create", "-q", "-f", "qcow2", "-b", "mid.qcow2", "-F", "qcow2", _lab["src/top.qcow2"]);
        QemuTools.Io(_lab["src/top.qcow2"], "qcow2", "write -P 8 0 64k", "write -z 128k 64k");

        _lab.Run("migrate", "--to", "qcow2", "src", "flat").Expect(0);
        _lab.Run("migrate", "--to", "qcow2", "--backing", "keep", "src", "kept").Expect(0);
        foreach (string directory in new[] { "flat", "kept" })
        {
            foreach (string name in new[] { "base.raw", "mid.qcow2", "top.qcow2" })
            {
                string target = _lab[$"{directory}/{Path.ChangeExtension(name, "qcow2")}"];
                QemuTools.Img("compare", _lab[$"src/{name}"], target);
                QemuTools.Img("check", target);
            }
        }

        JsonNode flat = JsonNode.Parse(QemuTools.Img("info", "--output=json", _lab["flat/top.qcow2"]))!;
        JsonNode kept = JsonNode.Parse(QemuTools.Img("info", "--output=json", _lab["kept/top.qcow2"]))!;
        Assert.Null(flat["backing-filename"]);
        Assert.Equal("mid.qcow2", (string?)kept["backing-filename"]);
        Assert.Equal("qcow2", (string?)kept["backing-filename-format"]);
        Assert.True((long)kept["actual-size"]! < (long)flat["actual-size"]!);
    }

    [Fact]
    public void AManifestSaysTheSameAsACommandLine()
    {
        _lab.AddRaw("a.raw", 1, 1 << 20);
        _lab.AddRaw("left-out.raw", 1, 1 << 20);
        CliRun printed = _lab.Run("migrate", "--to", "vmdk", "--exclude", "left-*", "--name", "{name}-new.{format}", "src", "out", "--print-manifest").Expect(0);
        Directory.CreateDirectory(_lab["out"]);
        File.WriteAllText(_lab["m.yaml"], printed.Output);
        _lab.Run("migrate", "m.yaml").Expect(0);
        Assert.Equal(["a-new.vmdk"], _lab.Targets());
    }

    [Fact]
    public void NamedRootsAreRelativeToTheManifest()
    {
        _lab.AddRaw("vm/a.raw", 1, 1 << 20);
        Directory.CreateDirectory(_lab["elsewhere"]);
        Directory.CreateDirectory(_lab["kvm"]);
        File.WriteAllText(_lab["elsewhere/m.yaml"], """
            version: 1
            name: two words
            roots: { old: ../src, new: ../kvm }
            sources: [ { root: old, include: "**/*.raw" } ]
            target: { root: new, name: "{root}/{path}/{name}.vmdk", format: vmdk }
            """);
        CliRun run = _lab.Run("migrate", "elsewhere/m.yaml", "--output", "plain").Expect(0);
        Assert.Equal(["old/vm/a.vmdk"], _lab.Targets("kvm"));
        Assert.Contains("old:vm/a.raw: done", run.Output, StringComparison.Ordinal);
        Assert.Single(Directory.GetFiles(_lab["kvm/.imagecluster"], "two-words-????????.journal.db"));
    }

    [Fact]
    public void LimitsOfRootsHoldAndNobodyWaitsForEver()
    {
        for (int i = 0; i < 4; i++)
        {
            _lab.AddRaw($"{i}.raw", i, 1 << 20);
        }

        Directory.CreateDirectory(_lab["out"]);
        File.WriteAllText(_lab["m.yaml"], """
            version: 1
            name: limited
            sources: [ { root: ./src, include: "*.raw" } ]
            target: { root: ./out, format: vmdk }
            parallel: { images: 4, threads: 2 }
            limits: { roots: { ./src: { shards: 1, rate: 100MiB/s }, ./out: { shards: 2 } } }
            """);
        CliRun run = _lab.Run("migrate", "m.yaml", "--output", "plain").Expect(0);
        int running = 0;
        foreach (string line in run.Output.Split('\n'))
        {
            running += line.Contains(": converting ", StringComparison.Ordinal) ? 1 : line.Contains(": done: ", StringComparison.Ordinal) ? -1 : 0;
            Assert.InRange(running, 0, 1);
        }
    }
}
