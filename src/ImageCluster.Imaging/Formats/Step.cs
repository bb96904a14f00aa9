namespace ImageCluster.Imaging.Formats;

/// <summary>A step of an operation, so that a failure tells which one it ended.</summary>
internal static class Step
{
    /// <param name="name">As QEMU calls its failure: "Failed to update the image header".</param>
    /// <param name="action">What is done.</param>
    /// <exception cref="ImageException">What the action threw, <see cref="ImageException.In">with the step</see>.</exception>
    public static void Run(string name, Action action)
    {
        try
        {
            action();
        }
        catch (ImageException e) when (e.In(name) != e)
        {
            throw e.In(name);
        }
    }
}
