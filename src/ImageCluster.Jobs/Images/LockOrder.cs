namespace ImageCluster.Jobs.Images;

/// <summary>
/// The order in which a job takes its images: base first. An image comes behind everything that it stands on, and images at one height
/// come by name, so any two jobs that know the chains take what they share in the same order.
/// </summary>
public static class LockOrder
{
    /// <param name="chains">
    /// The chains of the images that the job uses, each whole and with its top first; an image without a backing file is a chain of one.
    /// </param>
    /// <returns>Every image once, in the order to take them; they are given back in any order.</returns>
    public static IReadOnlyList<ImageName> Of(params IEnumerable<IReadOnlyList<ImageName>> chains)
    {
        var heights = new Dictionary<ImageName, int>();
        foreach (IReadOnlyList<ImageName> chain in chains)
        {
            for (int i = 0; i < chain.Count; i++)
            {
                int height = chain.Count - 1 - i;
                heights[chain[i]] = Math.Max(height, heights.GetValueOrDefault(chain[i]));
            }
        }

        return [.. heights.OrderBy(pair => pair.Value).ThenBy(pair => pair.Key).Select(pair => pair.Key)];
    }
}
