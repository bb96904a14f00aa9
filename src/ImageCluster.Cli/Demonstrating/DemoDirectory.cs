namespace ImageCluster.Cli.Demonstrating;

/// <summary>The directory of a demo: made anew, and never one that is somebody else's.</summary>
internal static class DemoDirectory
{
    private const string Mark = ".imagecluster-demo";

    /// <param name="directory">Absolute.</param>
    /// <param name="shown">As one would type it.</param>
    public static void Prepare(string directory, string shown)
    {
        try
        {
            if (Directory.Exists(directory) && Directory.EnumerateFileSystemEntries(directory).Any())
            {
                if (!File.Exists(Path.Join(directory, Mark)))
                {
                    throw CliException.Refused($"{shown}: there is something in this directory, and it is not an earlier demo", "name another one: imagecluster demo DIR");
                }

                Directory.Delete(directory, recursive: true);
            }

            Directory.CreateDirectory(directory);
            File.WriteAllText(Path.Join(directory, Mark), "Made by 'imagecluster demo'; made anew by the next one.\n");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CliException.Refused($"{shown}: {e.Message.ReplaceLineEndings(" ")}");
        }
    }
}
