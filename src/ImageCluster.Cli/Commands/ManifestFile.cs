namespace ImageCluster.Cli.Commands;

/// <summary>Reads the text of a manifest.</summary>
internal static class ManifestFile
{
    /// <param name="path">Absolute.</param>
    /// <param name="name">What messages call it.</param>
    /// <exception cref="CliException">It cannot be read.</exception>
    public static string ReadText(string path, string name)
    {
        try
        {
            // A disk image by mistake is not read into memory.
            if (new FileInfo(path) is { Exists: true, Length: > 16 << 20 })
            {
                throw CliException.Usage($"{name}: too large for a manifest", "to migrate an image say what it is to become: migrate --to FORMAT IMAGE TARGET_DIR");
            }

            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw CliException.Usage($"{name}: there is no such manifest");
        }
        catch (UnauthorizedAccessException) when (Directory.Exists(path))
        {
            throw CliException.Usage($"{name}: a directory, not a manifest", "to migrate a directory say what its images are to become: migrate --to FORMAT DIRECTORY TARGET_DIR");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CliException.Usage($"{name}: {e.Message.ReplaceLineEndings(" ")}");
        }
    }
}
