using System.Diagnostics;
using Xunit;

namespace ImageCluster.Testing.Qemu;

/// <summary>A process of QEMU that holds an image open, with its locks, until disposed.</summary>
public sealed class QemuHolder : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly Process _process;

    private QemuHolder(Process process) => _process = process;

    /// <summary>qemu-io on an image, waiting for commands.</summary>
    /// <param name="flags">Such as <c>-r</c> and <c>-U</c>.</param>
    public static QemuHolder Io(string image, string format, params string[] flags) => Opened(Start("qemu-io", [.. flags, "-f", format, image]));

    /// <summary>As <see cref="Io"/>, on an image that options describe.</summary>
    public static QemuHolder IoOptions(string imageOptions, params string[] flags) => Opened(Start("qemu-io", [.. flags, "--image-opts", imageOptions]));

    private static QemuHolder Opened(QemuHolder holder)
    {
        holder._process.StandardInput.WriteLine("length");
        holder._process.StandardInput.Flush();
        for (string? line; (line = holder.ReadLine(holder._process.StandardOutput)) is not null;)
        {
            // The answer follows the prompt on the same line: a number and a unit.
            if (line.Any(char.IsAsciiDigit))
            {
                return holder;
            }
        }

        throw holder.Failure("qemu-io");
    }

    /// <summary>qemu-nbd serving an image.</summary>
    /// <param name="directory">Where its socket and the file with its process id go.</param>
    public static QemuHolder Nbd(string image, string format, string directory, params string[] flags) => Serve("qemu-nbd", directory,
        [.. flags, "--persistent", "-f", format, "--pid-file", PidFile(directory), "--socket", Socket(directory), image]);

    /// <summary>qemu-storage-daemon exporting an image for writing.</summary>
    /// <inheritdoc cref="Nbd" path="/param"/>
    public static QemuHolder Daemon(string image, string format, string directory) => Serve("qemu-storage-daemon", directory,
    [
        "--pidfile", PidFile(directory),
        "--blockdev", $"driver=file,filename={image},node-name=file",
        "--blockdev", $"driver={format},file=file,node-name=disk",
        "--nbd-server", $"addr.type=unix,addr.path={Socket(directory)}",
        "--export", "type=nbd,id=e,node-name=disk,writable=on",
    ]);

    public void Dispose()
    {
        try
        {
            _process.Kill();
            _process.WaitForExit();
        }
        catch (InvalidOperationException)
        {
            // It ended by itself.
        }

        _process.Dispose();
    }

    private static string PidFile(string directory) => Path.Combine(directory, "holder.pid");

    private static string Socket(string directory) => Path.Combine(directory, "holder.sock");

    // A server writes the file with its process id when it has opened the image. It stays our own process: the end of another's is only found by asking again and again.
    private static QemuHolder Serve(string program, string directory, string[] arguments)
    {
        string ready = PidFile(directory);
        File.Delete(ready);
        QemuHolder server = Start(program, arguments);
        bool IsReady() => File.Exists(ready) && new FileInfo(ready).Length > 0;
        return SpinWait.SpinUntil(() => server._process.HasExited || IsReady(), Patience) && IsReady() ? server : throw server.Failure(program);
    }

    private static QemuHolder Start(string program, string[] arguments)
    {
        Skip.IfNot(File.Exists($"/usr/bin/{program}"), $"{program} (Debian: qemu-utils) is not installed");
        ProcessStartInfo start = new(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        return new QemuHolder(Process.Start(start)!);
    }

    private string? ReadLine(StreamReader reader)
    {
        Task<string?> line = reader.ReadLineAsync();
        return line.Wait(Patience) ? line.Result : throw Failure("qemu-io");
    }

    private InvalidOperationException Failure(string program)
    {
        Dispose();
        return new InvalidOperationException($"{program} did not open the image");
    }
}
