using System.Runtime.InteropServices;
using System.Text;
using ImageCluster.Cli.Native;
using ImageCluster.Work;
using Microsoft.Win32.SafeHandles;

namespace ImageCluster.Cli.Journal;

/// <summary>Keeps two runs of one migration from running at once: a lock on a file that the system drops when the process ends, however it ends.</summary>
internal sealed class JournalLock : IDisposable
{
    private readonly SafeFileHandle _handle;

    private JournalLock(SafeFileHandle handle) => _handle = handle;

    /// <summary>Takes the lock and writes into the file who has it.</summary>
    /// <exception cref="CliException">Another process has it, or the file cannot be written.</exception>
    public static JournalLock Take(string path, string migration)
    {
        SafeFileHandle handle = Open(path, migration);
        if (OperatingSystem.IsLinux() && LibC.FLock(handle, LibC.LockExclusiveNonBlocking) < 0)
        {
            string holder = Holder(handle);
            handle.Dispose();
            throw Running(migration, holder);
        }

        byte[] text = Encoding.UTF8.GetBytes($"process {Environment.ProcessId} on {Environment.MachineName}\n");
        RandomAccess.SetLength(handle, text.Length);
        RandomAccess.Write(handle, text, 0);
        return new JournalLock(handle);
    }

    public void Dispose() => _handle.Dispose();

    private static SafeFileHandle Open(string path, string migration)
    {
        if (OperatingSystem.IsLinux())
        {
            // .NET's own opening would take a lock by itself, and then nobody could read who has it.
            int handle = LibC.OpenAt(LibC.AtFdCwd, path, LibC.OpenReadWriteCreateCloExec, 0x1a4 /* 0644 */);
            return handle >= 0
                ? new SafeFileHandle(handle, ownsHandle: true)
                : throw CliException.Refused($"{path}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}", "the target root must be writable");
        }

        try
        {
            return File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            throw Running(migration, "another process");
        }
    }

    private static string Holder(SafeFileHandle handle)
    {
        byte[] text = new byte[200];
        string holder = ErrorText.OneLine(Encoding.UTF8.GetString(text, 0, RandomAccess.Read(handle, text, 0)).Trim());
        return holder.Length > 0 ? holder : "another process";
    }

    private static CliException Running(string migration, string holder) =>
        CliException.Refused($"migration '{migration}' is running already: {holder}", "wait for it, or stop it and run the same command again");
}
