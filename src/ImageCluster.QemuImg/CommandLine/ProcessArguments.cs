using ImageCluster.Imaging.Storage;

namespace ImageCluster.QemuImg.CommandLine;

/// <summary>
/// The process's arguments with each byte that is not UTF-8 kept (<see cref="NameText"/>): the runtime puts one sign for all such bytes, so that it
/// would be another file that is written.
/// </summary>
internal static class ProcessArguments
{
    private const char Unknown = '\ufffd';

    /// <param name="args">As the runtime gives them.</param>
    public static string[] Exact(string[] args)
    {
        if (!Array.Exists(args, static arg => arg.Contains(Unknown)))
        {
            return args;
        }

        string[]? words = ReadFromKernel();
        return words is null || words.Length < args.Length ? args : words[^args.Length..];
    }

    /// <summary>The whole command line, the program first; null where the system does not tell.</summary>
    public static string[]? ReadFromKernel()
    {
        try
        {
            byte[] line = File.ReadAllBytes("/proc/self/cmdline");
            return line.Length == 0 ? null : NameText.GetString(line.AsSpan(0, line.Length - 1)).Split('\0');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
