namespace ImageCluster.Imaging.Formats.BlockTables;

/// <summary>Where <see cref="BlockFill"/> puts things. Units: bytes unless a name says otherwise.</summary>
/// <param name="VirtualSize">Size of the guest's disk.</param>
/// <param name="BlockSize">Guest bytes that one entry covers.</param>
/// <param name="FirstBlock">Host offset of the first block, or where room for blocks and tables starts.</param>
internal sealed record BlockFillLayout(long VirtualSize, long BlockSize, long FirstBlock)
{
    /// <summary>Every block has its place from the start, in guest order.</summary>
    public bool Fixed { get; init; }

    /// <summary>Room for a block starts at a multiple of this.</summary>
    public long Alignment { get; init; } = 512;

    /// <summary>What stands in front of a block's data and is part of its room.</summary>
    public int Prefix { get; init; }

    /// <summary>How many blocks the disk has.</summary>
    public long Blocks => (VirtualSize + BlockSize - 1) / BlockSize;
}
