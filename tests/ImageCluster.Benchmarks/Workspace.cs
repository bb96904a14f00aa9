using System.Diagnostics;

namespace ImageCluster.Benchmarks;

/// <summary>The directory with the images that operations read; what is there already is used again.</summary>
internal sealed class Workspace(string directory, string qemuImg, long size)
{
    public string Target => Path.Combine(directory, "target");

    public string Expand(string arguments) => arguments.Replace("{dir}", directory, StringComparison.Ordinal).Replace("{out}", Target, StringComparison.Ordinal);

    /// <summary>Makes the image files that <paramref name="operations"/> mention.</summary>
    public void Prepare(IEnumerable<Operation> operations)
    {
        Directory.CreateDirectory(directory);
        string all = string.Join(' ', operations.Select(o => o.Arguments));
        Need(all, "source.raw", path => SourceImage.Write(path, size), always: true);
        Need(all, "small.raw", path => SourceImage.Write(path, size / 4), always: true);
        Make(all, "source.qcow2", "convert -O qcow2 source.raw");
        Make(all, "zlib.qcow2", "convert -c -O qcow2 small.raw");
        Make(all, "zstd.qcow2", "convert -c -o compression_type=zstd -O qcow2 small.raw");
        Make(all, "source.vmdk", "convert -O vmdk source.raw");
        Make(all, "stream.vmdk", "convert -O vmdk -o subformat=streamOptimized small.raw");
        Make(all, "source.vdi", "convert -O vdi source.raw");
        Make(all, "source.vhdx", "convert -O vhdx source.raw");
        Make(all, "source.vhd", "convert -O vpc source.raw");
        Make(all, "empty.qcow2", "create -f qcow2", "1T");
    }

    /// <summary>Brings the sources into the page cache and removes the target, so that every run starts alike.</summary>
    public void BeforeRun() => File.Delete(Target);

    private void Need(string mentioned, string name, Action<string> make, bool always = false)
    {
        string path = Path.Combine(directory, name);
        if (File.Exists(path) || !(always || mentioned.Contains(name, StringComparison.Ordinal)))
        {
            return;
        }

        string partial = path + ".partial";
        make(partial);
        File.Move(partial, path);
    }

    private void Make(string mentioned, string name, string arguments, string? behind = null) => Need(mentioned, name, path =>
    {
        List<string> words = [.. arguments.Split(' '), path];
        if (behind is not null)
        {
            words.Add(behind);
        }

        ProcessStartInfo start = new(qemuImg, words.Select(w => w.EndsWith(".raw", StringComparison.Ordinal) ? Path.Combine(directory, w) : w));
        using Process process = Process.Start(start)!;
        process.WaitForExit();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"qemu-img {string.Join(' ', words)} failed");
        }
    });
}
