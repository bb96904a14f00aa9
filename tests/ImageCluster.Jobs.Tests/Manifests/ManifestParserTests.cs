using ImageCluster.Jobs.Manifests;

namespace ImageCluster.Jobs.Tests.Manifests;

public class ManifestParserTests
{
    private const string Small = """
        version: 1
        name: lab
        sources:
          - root: /mnt/vmware
            include: "**/*.vmdk"
        target:
          root: kvm
          format: qcow2
        """;

    [Fact]
    public void A_small_manifest_has_the_documented_defaults()
    {
        MigrationManifest manifest = Parse(Small);

        Assert.Equal("lab", manifest.Name);
        SourceSelection source = Assert.Single(manifest.Sources);
        Assert.Equal(new RootReference("/mnt/vmware"), source.Root);
        Assert.False(source.Root.IsName);
        Assert.True(source.Selects("a/b.vmdk"));
        Assert.Null(source.Format);
        Assert.True(manifest.Target.Root.IsName);
        Assert.Equal("{path}/{name}.{format}", manifest.Target.Name.Text);
        Assert.False(manifest.Target.Compress);
        Assert.Equal(BackingChain.Flatten, manifest.Target.Backing);
        Assert.Equal(ExistingTarget.Fail, manifest.Target.Existing);
        Assert.Equal(VerifyMode.Compare, manifest.Verify);
        Assert.Equal(new Parallelism(null, null), manifest.Parallel);
        Assert.Null(manifest.Rate);
        Assert.Equal(50, manifest.Priority);
        Assert.Equal(["/mnt/vmware", "kvm"], manifest.UsedRoots.Select(root => root.Text));
    }

    [Fact]
    public void The_documented_full_manifest_reads_as_written()
    {
        MigrationManifest manifest = Parse(ManifestExamples.Documented["full"]);

        Assert.Equal("/mnt/hyperv", manifest.Roots["hyperv"]);
        Assert.Equal("vmdk", manifest.Sources[0].Format);
        Assert.False(manifest.Sources[0].Selects("templates/x.vmdk"));
        Assert.False(manifest.Sources[0].Selects("a/scratch-7z.vmdk"));
        Assert.True(manifest.Sources[0].Selects("a/scratch-z.vmdk"));
        Assert.True(manifest.Sources[1].Selects("prod/a/b.vhdx"));
        Assert.True(manifest.Sources[1].Selects("odd place/disk one.vhdx"));
        Assert.Equal([null, null, "vault"], manifest.Sources.Select(source => source.Secret));
        Assert.Equal("zstd", manifest.Target.Options["compression_type"]);
        Assert.True(manifest.Target.Compress);
        Assert.Equal(ExistingTarget.Skip, manifest.Target.Existing);
        Assert.Equal(new Parallelism(2, 4), manifest.Parallel);
        Assert.Equal(400L << 20, manifest.Rate!.Value.BytesPerSecond);
        Assert.Equal(60, manifest.Priority);
        Assert.Equal(64, manifest.Limits.Shards);
        Assert.Equal(16, manifest.Limits.ShardsPerImage);
        Assert.Equal(new RootLimit(8, new ByteRate(250_000_000)), manifest.Limits.Roots["vmware"]);
    }

    [Theory]
    // Each row: a line of the small manifest, what it becomes, the line and text of the one error.
    [InlineData("name: lab", "name: lab\nverify: digest\ndigest: false", 4, "'digest: false' leaves 'verify: digest' nothing to verify by")]
    [InlineData("name: lab", "name: lab\nverfy: none", 3, "unknown key 'verfy'; did you mean 'verify'?")]
    [InlineData("    include:", "    inclde:", 5, "unknown key 'inclde' in 'sources[0]'; did you mean 'include'?")]
    [InlineData("  format: qcow2", "  format: qcow2\n  zzzzzz: 1", 9, "unknown key 'zzzzzz' in 'target'; known: root, name, format")]
    [InlineData("name: lab", "name: lab\nname: lab", 3, "key 'name' stands here a second time (first on line 2)")]
    [InlineData("version: 1", "version: 2", 1, "version '2' is not known")]
    [InlineData("version: 1", "#", 2, "'version' is missing")]
    [InlineData("name: lab", "name:", 2, "'name' has no value")]
    [InlineData("name: lab", "name: ' lab'", 2, "starts or ends with a blank")]
    [InlineData("name: lab", "name: \"a\\tb\"", 2, "control character")]
    [InlineData("  root: kvm", "  root: \"\"", 7, "'target.root' is empty")]
    [InlineData("  root: kvm", "  root: [kvm]", 7, "'target.root' must be a single value, not a list")]
    [InlineData("  root: kvm\n", "", 7, "'target.root' is missing")]
    [InlineData("  format: qcow2", "  format: qcow", 8, "'target.format': unknown format 'qcow'; did you mean 'qcow2'?")]
    [InlineData("  format: qcow2", "  format: dmg", 8, "images of format 'dmg' can be read, not created")]
    [InlineData("  format: qcow2", "  format: qcow2\n  compress: maybe", 9, "'target.compress' must be true or false, not 'maybe'")]
    [InlineData("  format: qcow2", "  format: qcow2\n  existing: overwrite", 9, "must be fail or skip or replace, not 'overwrite'")]
    [InlineData("  format: qcow2", "  format: qcow2\n  backing: kep", 9, "not 'kep'; did you mean 'keep'?")]
    [InlineData("  format: qcow2", "  format: raw\n  backing: keep", 9, "needs a format with backing files, which 'raw' has not")]
    [InlineData("  format: qcow2", "  format: qcow2\n  options:\n    cluster-size: 64k", 10, "no option 'cluster-size'; did you mean 'cluster_size'?")]
    [InlineData("  format: qcow2", "  format: qcow2\n  options:\n    backing_file: a", 10, "is not for a migration")]
    [InlineData("  format: qcow2", "  format: qcow2\n  options:\n    encrypt.key-secret: a", 10, "passwords are named by 'target.secret'")]
    [InlineData("  format: qcow2", "  format: qcow2\n  secret: open sesame", 9, "'target.secret' is the name of a secret, not a password")]
    [InlineData("    include: \"**/*.vmdk\"", "    include: \"*\"\n    secret: ../x", 6, "'sources[0].secret' is the name of a secret, not a password")]
    [InlineData("  format: qcow2", "  format: qcow2\n  options: [a]", 9, "'target.options' must be a map, not a list")]
    [InlineData("  format: qcow2", "  format: qcow2\n  name: \"{nam}.x\"", 9, "unknown token '{nam}'; did you mean '{name}'?")]
    [InlineData("  format: qcow2", "  format: qcow2\n  name: \"{name\"", 9, "'{' without its '}'")]
    [InlineData("  format: qcow2", "  format: qcow2\n  name: \"a}\"", 9, "'}' without its '{'")]
    [InlineData("name: lab", "name: lab\nrate: 0", 3, "'rate' must be bytes a second above 0")]
    [InlineData("name: lab", "name: lab\nrate: fast", 3, "not 'fast'")]
    [InlineData("name: lab", "name: lab\nrate: -5M", 3, "not '-5M'")]
    [InlineData("name: lab", "name: lab\nrate: 99999999999G", 3, "not '99999999999G'")]
    [InlineData("name: lab", "name: lab\npriority: 101", 3, "'priority' must be a whole number from 0 to 100, not '101'")]
    [InlineData("name: lab", "name: lab\npriority: high", 3, "not 'high'")]
    [InlineData("name: lab", "name: lab\npriority: 1e1", 3, "not '1e1'")]
    [InlineData("name: lab", "name: lab\nparallel: 4", 3, "'parallel' must be a map of keys (images, threads), not a single value")]
    [InlineData("name: lab", "name: lab\nparallel: {images: 0}", 3, "'parallel.images' must be a whole number from 1 to 1,024, not '0'")]
    [InlineData("name: lab", "name: lab\nlimits: {roots: {kwm: {shards: 1}}}", 3, "no source or target uses root 'kwm'; did you mean 'kvm'?")]
    [InlineData("name: lab", "name: lab\nlimits: {shards: 99999999999999999999}", 3, "'limits.shards' must be a whole number")]
    [InlineData("name: lab", "name: lab\nroots: {a/b: /x}", 3, "'a/b' is not a name for a root")]
    [InlineData("    include: \"**/*.vmdk\"", "    exclude: a", 4, "'sources[0]' chooses nothing")]
    [InlineData("    include: \"**/*.vmdk\"", "    include: []", 5, "'sources[0].include' is an empty list")]
    [InlineData("    include: \"**/*.vmdk\"", "    include: /abs", 5, "pattern '/abs' in 'sources[0].include' is absolute")]
    [InlineData("    include: \"**/*.vmdk\"", "    include: [ok, \"a[b\"]", 5, "has a '[' without its ']'")]
    [InlineData("    include: \"**/*.vmdk\"", "    include: ../x", 5, "has an empty, '.' or '..' part")]
    [InlineData("    include: \"**/*.vmdk\"", "    files: [../x]", 5, "'../x' in 'sources[0].files' has a '..' part")]
    [InlineData("    include: \"**/*.vmdk\"", "    files: /etc/passwd", 5, "is absolute")]
    [InlineData("    include: \"**/*.vmdk\"", "    include: \"*\"\n    format: vmdx", 6, "'sources[0].format': unknown format 'vmdx'; did you mean 'vmdk'?")]
    [InlineData("sources:", "sources: []\nx:", 3, "'sources' is an empty list")]
    public void What_is_wrong_is_named_with_its_line(string old, string replacement, int line, string message)
    {
        string yaml = Small.ReplaceLineEndings("\n");
        Assert.Contains(old, yaml, StringComparison.Ordinal);

        ManifestException e = Assert.Throws<ManifestException>(() => Parse(yaml.Replace(old, replacement, StringComparison.Ordinal)));

        Assert.Contains(e.Errors, error => error.Line == line && error.Message.Contains(message, StringComparison.Ordinal));
        Assert.All(e.Lines, text => Assert.DoesNotContain('\n', text));
    }

    [Theory]
    [InlineData("", "the manifest is empty")]
    [InlineData("# nothing", "the manifest is empty")]
    [InlineData("- a\n- b", "the manifest must be a map of keys")]
    [InlineData("just text", "the manifest must be a map of keys")]
    [InlineData("a: [", "not YAML")]
    [InlineData("a: &x 1\nb: *x", "anchors and aliases are not used in manifests")]
    [InlineData("a: !!python/object 1", "tags are not used")]
    [InlineData("version: 1\n---\nversion: 1", "a second one starts here")]
    [InlineData("? [a]\n: 1", "a key must be a single word")]
    [InlineData("\0", "")]
    [InlineData("a: \"\\ud800\"", "")]
    public void What_is_no_manifest_is_refused(string yaml, string message)
    {
        ManifestException e = Assert.Throws<ManifestException>(() => Parse(yaml));
        Assert.Contains(message, string.Join("\n", e.Lines), StringComparison.Ordinal);
    }

    [Fact]
    public void Deep_nesting_and_huge_texts_are_refused()
    {
        Assert.Throws<ManifestException>(() => Parse(new string('[', 100_000)));
        Assert.Throws<ManifestException>(() => Parse(string.Concat(Enumerable.Repeat("a: {", 100_000))));
        Assert.Throws<ManifestException>(() => Parse(new string('#', 5 << 20)));
    }

    [Fact]
    public void All_errors_come_at_once_in_the_order_of_their_lines()
    {
        ManifestException e = Assert.Throws<ManifestException>(() => ManifestParser.Parse(
            "verion: 1\nname: x\npriority: no\nsources: []\ntarget: {root: a, fromat: raw}", "lab.yaml", FakeFormats.All));

        Assert.Equal(
            ["lab.yaml:1:1", "lab.yaml:1:1", "lab.yaml:4:10", "lab.yaml:5:9", "lab.yaml:5:19"],
            e.Lines.Where(line => !line.Contains("priority", StringComparison.Ordinal)).Select(line => line[..line.IndexOf(": ", StringComparison.Ordinal)]));
        Assert.StartsWith("lab.yaml:1:1: ", e.Message);
    }

    [Fact]
    public void The_documented_examples_suit_the_engines_formats_and_options()
    {
        foreach (string example in ManifestExamples.Documented.Values)
        {
            Assert.Equal("qcow2", ManifestParser.Parse(example).Target.Format);
        }
    }

    private static MigrationManifest Parse(string yaml) => ManifestParser.Parse(yaml, "manifest", FakeFormats.All);
}
