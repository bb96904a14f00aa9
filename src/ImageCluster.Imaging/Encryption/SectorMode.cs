namespace ImageCluster.Imaging.Encryption;

/// <summary>How the blocks of a sector are chained: QEMU's cipher modes.</summary>
internal enum SectorMode
{
    Ecb,
    Cbc,
    Xts,
    Ctr,
}
