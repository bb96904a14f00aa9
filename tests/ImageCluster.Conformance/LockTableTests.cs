using System.Globalization;
using System.Text.RegularExpressions;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Conformance;

/// <summary>
/// Every command, on an image of which a file is held by another program: the image itself, its backing file, its external data file, an extent.
/// Whether it is refused, and in which words, depends on what that program and the command ask of the file: ours and qemu-img must agree.
/// </summary>
public sealed partial class LockTableTests : IDisposable
{
    // {i}: the image; {f}: its format.
    private static readonly string[] Reading =
    [
        "info {i}", "info -U {i}", "map {i}", "map -U {i}", "check {i}", "check -U -f {f} {i}", "compare {i} y.raw", "compare -U {i} y.raw",
        "convert {i} z.raw", "convert -U {i} z.raw", "convert y.raw {i} z.raw", "convert -B {i} -F {f} -O qcow2 x.qcow2 z.qcow2", "create -f qcow2 -b {i} -F {f} z.qcow2", "dd if={i} of=z.raw",
        "measure -O raw {i}", "snapshot -l {i}", "bench -f {f} -c 1 {i}", "bitmap --merge one -b {i} -F {f} n.qcow2 b", "rebase -b {i} -F {f} over.qcow2",
        "info --image-opts driver={f},file.filename={i},force-share=on", "info --image-opts driver={f},file.filename={i},file.locking=off", "map --image-opts driver={f},file.filename={i},read-only=off",
        "bench -c 1 --image-opts driver={f},file.filename={i},file.locking=off", "map --image-opts driver=file,filename={i}",
    ];

    private static readonly string[] Writing =
    [
        "check -r all {i}", "convert -O {f} y.raw {i}", "convert -n -O {f} y.raw {i}", "convert -n -O {f} -U y.raw {i}", "create -f {f} {i} 1M", "create -f raw {i} 1M",
        "dd -O {f} if=y.raw of={i}", "snapshot -c a {i}", "snapshot -U -c a {i}", "snapshot -a one {i}", "resize -f {f} {i} 2M", "resize --shrink {i} 512k",
        "rebase -u -b '' {i}", "rebase -b '' {i}", "commit {i}", "amend -f {f} -o lazy_refcounts=on {i}", "bitmap --add {i} c", "bench -w -c 1 -f {f} {i}", "bench -w -c 1 {i}",
        "resize --image-opts driver={f},file.filename={i},force-share=on 2M", "convert --target-image-opts -n y.raw driver={f},file.filename={i},file.locking=off",
    ];

    private const string Secret = "--object secret,id=s,data=abc";

    private const string Luks = $"{Secret} --image-opts driver=luks,key-secret=s,file.filename=x.luks";

    private static readonly string[] OnLuks =
    [
        $"info {Luks}", $"info -U {Luks}", "info x.luks", $"map {Luks}", $"map -U {Luks}", $"check {Luks}", $"compare {Luks} driver=raw,file.filename=y.raw", $"convert {Luks} -O raw z.raw", $"convert -U {Luks} -O raw z.raw",
        $"convert -f raw {Secret} -n --target-image-opts y.raw driver=luks,key-secret=s,file.filename=x.luks", $"convert -f raw {Secret} -O luks -o key-secret=s,iter-time=1 y.raw x.luks", $"create -f luks {Secret} -o key-secret=s,iter-time=1 x.luks 1M",
        $"dd {Secret} --image-opts if=driver=luks,key-secret=s,file.filename=x.luks of=z.raw", $"dd {Secret} -O luks if=y.raw of=x.luks", $"measure {Luks} -O qcow2", $"snapshot -l {Luks}", $"snapshot -c a {Luks}", $"bench -c 1 {Luks}",
        $"bench -w -c 1 {Luks}", $"bitmap --add {Luks} b", $"rebase -u -b y.raw -F raw {Luks}", $"commit {Luks}", $"resize {Luks} 2M", $"resize --shrink {Luks} 512k", "resize -f raw x.luks 4M", "create -f raw x.luks 1M",
        $"amend {Secret} --object secret,id=n,data=new -o state=active,new-secret=n,iter-time=1 --image-opts driver=luks,key-secret=s,file.filename=x.luks", $"amend --force {Secret} -o state=inactive,keyslot=0 --image-opts driver=luks,key-secret=s,file.filename=x.luks",
        $"convert {Luks},file.locking=off -O raw z.raw", $"convert -n {Luks} -O qcow2 x.qcow2",
    ];

    // Ours says what is wrong with it.
    private static readonly string[] Better = ["rebase -b over.qcow2 -F qcow2 over.qcow2"];

    // In memory where there is such a place: hundreds of images are made and flushed.
    private readonly TempDirectory _directory = new(Directory.Exists("/dev/shm") ? "/dev/shm" : null);

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [InlineData("qemu-io", "qcow2", "x.qcow2", "qcow2:x.qcow2", "qcow2:over.qcow2")]
    [InlineData("qemu-io -r", "qcow2", "x.qcow2", "qcow2:x.qcow2")]
    [InlineData("qemu-io", "raw", "r.raw", "raw:r.raw", "qcow2:overraw.qcow2")]
    [InlineData("qemu-nbd", "raw", "r.raw", "raw:r.raw", "qcow2:grows.qcow2")]
    [InlineData("qemu-nbd -r --shared=3", "raw", "r.raw", "raw:r.raw")]
    [InlineData("qemu-storage-daemon", "raw", "d.data", "qcow2:d.qcow2")]
    [InlineData("qemu-io", "raw", "d.data", "qcow2:overd.qcow2")]
    [InlineData("qemu-io-data", "qcow2", "d.qcow2", "qcow2:overdata.qcow2", "raw:d.data")]
    [InlineData("qemu-nbd", "raw", "v-flat.vmdk", "vmdk:v.vmdk")]
    [InlineData("qemu-io", "vmdk", "v.vmdk", "raw:v-flat.vmdk")]
    [InlineData("qemu-io", "raw", "w-s001.vmdk", "vmdk:w.vmdk")]
    public void OursIsRefusedWhereAndAsTheirsIs(string holder, string heldFormat, string held, params string[] images)
    {
        Make();
        IEnumerable<string> lines = images.Select(static image => image.Split(':')).SelectMany(static image => Reading.Concat(Writing)
            .Select(line => line.Replace("{i}", image[1], StringComparison.Ordinal).Replace("{f}", image[0], StringComparison.Ordinal)));
        Compare(holder, lines.Except(Better), directory => Hold(holder, heldFormat, held, directory));
    }

    /// <summary>
    /// A new image over a raw file that another program reads and writes and does not mind others writing: qemu-img makes it all the same, and what the program had is gone. Ours
    /// refuses, and touches nothing; only a raw one is made by both.
    /// </summary>
    [SkippableTheory]
    [InlineData("vmdk", "r.raw")]
    [InlineData("vmdk -o subformat=monolithicFlat", "r.raw")]
    [InlineData("vmdk -o subformat=twoGbMaxExtentSparse", "w-s001.vmdk")]
    [InlineData("qcow2", "r.raw")]
    [InlineData("qed", "r.raw")]
    [InlineData("vhdx", "r.raw")]
    public void ANewImageOverAFileInUse(string format, string held)
    {
        Make();
        using QemuHolder holder = QemuHolder.Io(Path.Combine(_directory["in"], held), "raw");
        string name = held.Replace("-flat", "", StringComparison.Ordinal).Replace("-s001", "", StringComparison.Ordinal);
        string before = Sums();
        foreach (string line in new[] { $"create -q -f {format} {name} 1M", $"convert -O {format} y.raw {name}" })
        {
            ToolResult ours = Programs.RunOurs(_directory["in"], CommandLineText.Split(line));
            Assert.Equal(1, ours.ExitCode);
            Assert.Contains("Failed to get shared \"write\" lock", ours.Error, StringComparison.Ordinal);
            Assert.Equal(before, Sums());
        }

        string Sums() => Programs.Execute(_directory["in"], "/bin/sh", "-c", $"md5sum {held} {name}").Output;
    }

    /// <summary>An encrypted image: one that a program holds, and what becomes of its keys.</summary>
    [SkippableTheory]
    [InlineData("qemu-io")]
    [InlineData("qemu-io -r")]
    public void AnEncryptedImage(string holder)
    {
        QemuTools.Require();
        string directory = _directory["in"];
        Directory.CreateDirectory(directory);
        foreach (string line in new[] { "create -q -f raw y.raw 1M", $"create -q -f luks {Secret} -o key-secret=s,iter-time=1 x.luks 1M", "create -q -f qcow2 x.qcow2 1M" })
        {
            ToolResult made = Programs.Execute(directory, Programs.QemuImg, line.Split(' '));
            Assert.True(made.ExitCode == 0, $"{line}: {made.Error}");
        }

        Compare(holder, OnLuks, path => QemuHolder.IoOptions($"driver=luks,key-secret=s,file.filename={Path.Combine(path, "x.luks")}", [.. holder.Split(' ')[1..], .. Secret.Split(' ')]));
    }

    private void Compare(string holder, IEnumerable<string> lines, Func<string, QemuHolder> hold)
    {
        List<string> complaints = [];
        using Side theirs = new(_directory, "t", arguments => Programs.Execute(_directory["t"], Programs.QemuImg, arguments));
        using Side ours = new(_directory, "o", arguments => Programs.RunOurs(_directory["o"], arguments));
        foreach (string line in lines)
        {
            theirs.Ready(hold);
            ours.Ready(hold);
            string expected = theirs.Run(line);
            string actual = ours.Run(line);
            if (expected != actual)
            {
                complaints.Add($"{line}\n{LineDifference.Of(expected, actual)}");
            }
            else if (ours.HasChanged && actual.Contains("Is another process using the image", StringComparison.Ordinal))
            {
                complaints.Add($"{line}\nis refused and yet changes a file\n");
            }
        }

        Assert.True(complaints.Count == 0, $"while {holder} holds it:\n{string.Join('\n', complaints)}");
    }

    private static QemuHolder Hold(string holder, string format, string file, string directory)
    {
        string[] words = holder.Split(' ');
        string path = Path.Combine(directory, file);
        return words[0] switch
        {
            "qemu-io" => QemuHolder.Io(path, format, words[1..]),
            "qemu-io-data" => QemuHolder.IoOptions($"driver={format},file.filename={path},data-file.driver=file,data-file.filename={Path.Combine(directory, "d.data")}"),
            "qemu-nbd" => QemuHolder.Nbd(path, format, directory, words[1..]),
            _ => QemuHolder.Daemon(path, format, directory),
        };
    }

    private void Make()
    {
        QemuTools.Require();
        string directory = _directory["in"];
        Directory.CreateDirectory(directory);
        foreach (string line in new[]
        {
            "create -q -f raw r.raw 1M", "create -q -f raw y.raw 1M", "create -q -f qcow2 x.qcow2 1M", "snapshot -c one x.qcow2", "create -q -f qcow2 -b x.qcow2 -F qcow2 over.qcow2", "create -q -f qcow2 -b r.raw -F raw overraw.qcow2",
            "create -q -f qcow2 -b r.raw -F raw grows.qcow2 3M", "create -q -f qcow2 -o data_file=d.data d.qcow2 1M", "create -q -f qcow2 -b d.qcow2 -F qcow2 overd.qcow2", "create -q -f qcow2 -b d.data -F raw overdata.qcow2", "create -q -f vmdk -o subformat=monolithicFlat v.vmdk 1M",
            "create -q -f vmdk -o subformat=twoGbMaxExtentSparse w.vmdk 1M", "create -q -f qcow2 n.qcow2 1M", "bitmap --add n.qcow2 b",
        })
        {
            ToolResult made = Programs.Execute(directory, Programs.QemuImg, line.Split(' '));
            Assert.True(made.ExitCode == 0, $"{line}: {made.Error}");
        }
    }

    [GeneratedRegex(@"(?<=Run completed in )[\d.]+|(?<=disk size: )[^\n]+|#block\d+")]
    private static partial Regex Chance();

    /// <summary>One of the two programs in a directory of its own, with the other program that holds a file there.</summary>
    private sealed class Side(TempDirectory root, string name, Func<string[], ToolResult> run) : IDisposable
    {
        private readonly string _path = root[name];
        private QemuHolder? _holder;
        private string _before = "";

        /// <summary>The last command left a file other than it was.</summary>
        public bool HasChanged { get; private set; } = true;

        /// <summary>The files as they were in the beginning, and the holder at its place.</summary>
        public void Ready(Func<string, QemuHolder> hold)
        {
            if (!HasChanged)
            {
                return;
            }

            _holder?.Dispose();
            if (Directory.Exists(_path))
            {
                Directory.Delete(_path, recursive: true);
            }

            Programs.Execute(root.Path, "cp", "-a", "in", name);
            _holder = hold(_path);
            _before = Stamp();
        }

        public string Run(string line)
        {
            ToolResult result = run(CommandLineText.Split(line));
            foreach (string made in Directory.GetFiles(_path, "z.*"))
            {
                File.Delete(made);
            }

            HasChanged = Stamp() != _before;
            return $"{Chance().Replace(result.Output, "?")}{Chance().Replace(result.Error, "?")}exit code {result.ExitCode}\n";
        }

        public void Dispose() => _holder?.Dispose();

        private string Stamp() => string.Join('\n', new DirectoryInfo(_path).GetFiles().Where(static file => file.Extension is not (".pid" or ".sock"))
            .OrderBy(static file => file.Name, StringComparer.Ordinal).Select(static file => string.Create(CultureInfo.InvariantCulture, $"{file.Name} {file.Length} {file.LastWriteTimeUtc.Ticks}")));
    }
}
