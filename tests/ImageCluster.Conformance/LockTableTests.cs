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
    [InlineData("qemu-nbd", "raw", "v-flat.vmdk", "vmdk:v.vmdk")]
    [InlineData("qemu-io", "vmdk", "v.vmdk", "raw:v-flat.vmdk")]
    [InlineData("qemu-io", "raw", "w-s001.vmdk", "vmdk:w.vmdk")]
    public void OursIsRefusedWhereAndAsTheirsIs(string holder, string heldFormat, string held, params string[] images)
    {
        Make();
        List<string> complaints = [];
        Side theirs = new(_directory, "t", arguments => Programs.Execute(_directory["t"], Programs.QemuImg, arguments));
        Side ours = new(_directory, "o", arguments => Programs.RunOurs(_directory["o"], arguments));
        try
        {
            foreach (string image in images)
            {
                string format = image.Split(':')[0];
                string name = image.Split(':')[1];
                foreach (string line in Reading.Concat(Writing).Select(line => line.Replace("{i}", name, StringComparison.Ordinal).Replace("{f}", format, StringComparison.Ordinal)).Except(Better))
                {
                    theirs.Ready(directory => Hold(holder, heldFormat, held, directory));
                    ours.Ready(directory => Hold(holder, heldFormat, held, directory));
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
            }
        }
        finally
        {
            theirs.Dispose();
            ours.Dispose();
        }

        Assert.True(complaints.Count == 0, $"while {holder} holds {held}:\n{string.Join('\n', complaints)}");
    }

    private static QemuHolder Hold(string holder, string format, string file, string directory)
    {
        string[] words = holder.Split(' ');
        string path = Path.Combine(directory, file);
        return words[0] switch
        {
            "qemu-io" => QemuHolder.Io(path, format, words[1..]),
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
            "create -q -f qcow2 -b r.raw -F raw grows.qcow2 3M", "create -q -f qcow2 -o data_file=d.data d.qcow2 1M", "create -q -f qcow2 -b d.qcow2 -F qcow2 overd.qcow2", "create -q -f vmdk -o subformat=monolithicFlat v.vmdk 1M",
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
