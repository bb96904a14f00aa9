namespace ImageCluster.Cli.Demonstrating;

/// <summary>Copies some of the machine's own files, as content for the demo's file system: programs, libraries, texts; nothing private.</summary>
internal static class MachineFiles
{
    private const int MaxFiles = 3000;
    private const long MaxFileLength = 24 << 20;

    private static readonly string[] Places =
        ["/usr/share/doc", "/usr/include", "/usr/share/perl", "/usr/lib/python3", "/usr/share/zoneinfo", "/usr/bin", "/usr/lib", "/usr/share"];

    /// <summary>Copies files of at most <paramref name="budget"/> bytes together into <paramref name="target"/>, and returns how many and how long.</summary>
    public static (int Files, long Bytes) Copy(string target, long budget, CancellationToken stop)
    {
        int files = 0;
        long bytes = 0;
        var options = new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true, AttributesToSkip = FileAttributes.ReparsePoint };
        for (int i = 0; i < Places.Length; i++)
        {
            // Each place gets its share of what is left, so that there are small files and large ones.
            long limit = bytes + (budget - bytes) / Math.Max(1, Math.Min(3, Places.Length - i));
            int count = files + (MaxFiles - files) / 2;
            if (!Directory.Exists(Places[i]))
            {
                continue;
            }

            foreach (FileInfo file in new DirectoryInfo(Places[i]).EnumerateFiles("*", options))
            {
                stop.ThrowIfCancellationRequested();
                if (bytes >= limit || files >= count)
                {
                    break;
                }

                if (file.Length <= MaxFileLength && bytes + file.Length <= budget && TryCopy(file, Path.Join(target, file.FullName)))
                {
                    files++;
                    bytes += file.Length;
                }
            }
        }

        return (files, bytes);
    }

    private static bool TryCopy(FileInfo file, string target)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            file.CopyTo(target, overwrite: true);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Not ours to read: there are others.
            return false;
        }
    }
}
