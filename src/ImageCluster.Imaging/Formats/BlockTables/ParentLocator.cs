namespace ImageCluster.Imaging.Formats.BlockTables;

/// <summary>
/// Chooses among the paths by which a differencing disk names its parent. They were made on another machine, often on Windows: what is
/// not there under its path is looked for by its name, beside the disk.
/// </summary>
internal static class ParentLocator
{
    /// <returns>The first that is there, or else the first of all, so that opening it says what is missing.</returns>
    public static string Choose(OpenContext context, IReadOnlyList<string> paths)
    {
        if (paths.Count == 0)
        {
            throw new ImageException(ImageErrorKind.Corrupt, context.FileName, "Differencing image does not say where its parent is");
        }

        IEnumerable<string> beside = paths.Select(path => path[(path.LastIndexOf('/') + 1)..]);
        string[] candidates = [.. paths.Where(path => !HasDrive(path)), .. beside];
        return candidates.FirstOrDefault(path => IsThere(context, path)) ?? candidates[0];
    }

    // Not "parent: file", which a locator would take for a protocol.
    private static bool HasDrive(string path) => path.Contains(':', StringComparison.Ordinal);

    private static bool IsThere(OpenContext context, string path)
    {
        try
        {
            return path.Length > 0 && context.Locator.Exists(context.Locator.Combine(context.FileName, path));
        }
        catch (ImageException)
        {
            // Outside the allowed roots: opening it is refused with the reason, if nothing better is found.
            return false;
        }
    }
}
