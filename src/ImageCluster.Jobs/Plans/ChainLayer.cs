namespace ImageCluster.Jobs.Plans;

/// <summary>One image of a backing chain, as it was found.</summary>
/// <param name="Name">The file's name, as its referrer names it or as it was selected.</param>
/// <param name="Format">Format name.</param>
/// <param name="Identity">The canonical name of the file (links resolved), equal for two names of one file.</param>
public sealed record ChainLayer(string Name, string Format, string Identity);
