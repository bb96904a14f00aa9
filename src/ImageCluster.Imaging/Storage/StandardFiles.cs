using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Storage;

/// <summary>
/// Standard input, output and error. A program can be started with some of them closed; then the next file that it opens gets the number, and an image
/// would be written what is printed.
/// </summary>
public static class StandardFiles
{
    private const int Last = 2;

    /// <summary>Opens /dev/null for each that is closed. To be called before anything else is opened.</summary>
    public static void Secure()
    {
        if (!HostFile.IsLinux)
        {
            return;
        }

        for (int number = 0; number <= Last; number++)
        {
            if (LibC.FCntl(number, LibC.GetFd) < 0)
            {
                // Gets the lowest number that is free.
                _ = LibC.OpenAt(LibC.AtFdCwd, "/dev/null", LibC.RdWr, 0);
            }
        }
    }
}
