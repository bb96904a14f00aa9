using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Storage;

/// <summary>Taking room on the storage before it is needed: where there is not enough, QEMU's words say for what it was.</summary>
internal static class Preallocating
{
    private const string TooLong = "Could not resize file";

    /// <summary>Refuses any but <c>off</c> where a device has all the room that it will ever have.</summary>
    public static void Require(string mode, string context, IBlockFile? file)
    {
        if (mode != "off" && file is LocalBlockDevice)
        {
            throw new ImageException(ImageErrorKind.Unsupported, file.Name, $"{context}Preallocation mode '{mode}' unsupported for this non-regular file");
        }
    }

    /// <summary>Takes room.</summary>
    /// <param name="mode"><c>falloc</c> or <c>full</c>; <c>metadata</c> only makes the file longer; any other has no words of its own.</param>
    /// <param name="context">What stands before the message; ends with its own colon and blank.</param>
    /// <param name="file">Where it is taken; null for what has it already.</param>
    /// <param name="take">Takes it.</param>
    public static void Run(string mode, string context, IBlockFile? file, Action take)
    {
        if (mode is "falloc" or "full")
        {
            Require(mode, context, file);
        }

        try
        {
            take();
        }
        catch (ImageException e) when (e.Errno is Errno.NoSpc or Errno.DQuot or Errno.FBig && mode is "falloc" or "full")
        {
            // QEMU sets the length before it writes zeros: there it ends where a file must not become so long.
            string what = mode == "falloc" ? "Could not preallocate new data" : e.Errno == Errno.FBig ? TooLong : "Could not write zeros for preallocation";
            throw e.In(context + what);
        }
        catch (ImageException e) when (e.Errno == Errno.FBig && mode == "metadata")
        {
            throw e.In(TooLong);
        }
    }
}
