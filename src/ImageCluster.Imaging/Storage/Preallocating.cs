namespace ImageCluster.Imaging.Storage;

/// <summary>Taking room on the storage before it is needed: where there is not enough, QEMU's words say for what it was.</summary>
internal static class Preallocating
{
    /// <param name="mode"><c>falloc</c> or <c>full</c>; any other takes no room and has no words of its own.</param>
    /// <param name="context">What stands before the message; ends with its own colon and blank.</param>
    /// <param name="take">Takes the room.</param>
    public static void Run(string mode, string context, Action take)
    {
        try
        {
            take();
        }
        catch (ImageException e) when (e.Kind == ImageErrorKind.NoSpace && e.Errno != 0 && mode is "falloc" or "full")
        {
            string what = mode == "full" ? "Could not write zeros for preallocation" : "Could not preallocate new data";
            throw e.In(context + what);
        }
    }
}
