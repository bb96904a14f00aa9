namespace ImageCluster.Work.Gathering;

/// <summary>A source was changed by somebody else while it was read: what was read is of no moment in time.</summary>
public sealed class SourceChangedException(string file, string how)
    : Exception($"{file} changed while it was read: {how}. Shut the virtual machine down (or take a snapshot) and run the same command again.");
