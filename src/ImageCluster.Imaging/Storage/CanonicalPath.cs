using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Storage;

/// <summary>Absolute paths with every symbolic link resolved.</summary>
internal static class CanonicalPath
{
    // The kernel's limit (ELOOP).
    private const int MaxLinks = 40;

    /// <summary>
    /// Resolves <paramref name="path"/> component by component. Once one is not there, the rest is taken as it is named (a file that is to
    /// be created has a canonical path too).
    /// </summary>
    /// <param name="path">Relative to the current directory, or absolute.</param>
    /// <param name="name">What messages call it.</param>
    public static string Of(string path, string name)
    {
        string root = Path.GetPathRoot(path) is { Length: > 0 } ownRoot ? ownRoot : Path.GetPathRoot(HostFile.CurrentDirectory)!;
        Stack<string> left = new();
        Push(left, path);
        if (!Path.IsPathRooted(path))
        {
            // The current directory as the system has it is canonical already.
            Push(left, HostFile.CurrentDirectory);
        }

        string resolved = root;
        for (int links = 0; left.TryPop(out string? part);)
        {
            if (part == "..")
            {
                resolved = Path.GetDirectoryName(resolved) ?? root;
                continue;
            }

            string next = Path.Join(resolved, part);
            string? target = LinkTarget(next);
            if (target is null)
            {
                resolved = next;
                continue;
            }

            if (++links > MaxLinks)
            {
                throw Errno.Exception(Errno.Loop, name, $"Could not open '{path}'");
            }

            Push(left, target);
            if (Path.IsPathRooted(target))
            {
                resolved = Path.GetPathRoot(target)!;
            }
        }

        return resolved;
    }

    private static string? LinkTarget(string path)
    {
        try
        {
            return HostFile.LinkTarget(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Not there, or not to be looked at: opening will say so.
            return null;
        }
    }

    private static void Push(Stack<string> left, string path)
    {
        string[] parts = path[(Path.GetPathRoot(path)?.Length ?? 0)..]
            .Split([Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar], StringSplitOptions.RemoveEmptyEntries);
        for (int i = parts.Length - 1; i >= 0; i--)
        {
            if (parts[i] != ".")
            {
                left.Push(parts[i]);
            }
        }
    }
}
