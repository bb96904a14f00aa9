using System.Diagnostics;

namespace ImageCluster.Imaging.Tests.Formats.BlockTables;

/// <summary>7-Zip reads disk images by code of its own: a second opinion on what is written here.</summary>
public static class SevenZip
{
    /// <summary>The guest's bytes of an image; skips the test where 7zz (Debian: 7zip) is not installed.</summary>
    /// <param name="type">7-Zip's name of the format.</param>
    /// <param name="image">The image's path.</param>
    /// <param name="directory">An empty directory to work in.</param>
    public static byte[] Extract(string type, string image, string directory)
    {
        Skip.IfNot(File.Exists("/usr/bin/7zz"), "7zz (Debian: 7zip) is not installed");
        ProcessStartInfo start = new("/usr/bin/7zz", ["e", "-y", $"-o{directory}", $"-t{type}", image]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, output);
        return File.ReadAllBytes(Assert.Single(Directory.GetFiles(directory)));
    }
}
