namespace ImageCluster.Imaging.Formats.Vpc;

/// <summary>The checksum of VHD's structures: the complement of the sum of all bytes but those of the checksum itself.</summary>
internal static class VpcChecksum
{
    public static uint Of(ReadOnlySpan<byte> structure, int checksumAt)
    {
        uint sum = 0;
        foreach (byte value in structure)
        {
            sum += value;
        }

        foreach (byte value in structure.Slice(checksumAt, sizeof(uint)))
        {
            sum -= value;
        }

        return ~sum;
    }
}
