namespace ImageCluster.Imaging.Formats.Capabilities;

/// <summary>A layer that mends itself when it is opened for writing, where it was not closed cleanly.</summary>
public interface IRepairedOnOpen
{
    /// <summary>What was found and mended, a line each, in QEMU's words; none where nothing had to be.</summary>
    IReadOnlyList<string> RepairMessages { get; }
}
