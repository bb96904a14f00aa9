namespace ImageCluster.Imaging.Formats.Dmg;

/// <summary>The table of bzip2's CRC-32: the polynomial 0x04c11db7, highest bit first.</summary>
internal static class Bzip2Crc
{
    public static readonly uint[] Table = [.. Enumerable.Range(0, 256).Select(Entry)];

    private static uint Entry(int value)
    {
        uint crc = (uint)value << 24;
        for (int bit = 0; bit < 8; bit++)
        {
            crc = (crc & 0x80000000) != 0 ? crc << 1 ^ 0x04c11db7 : crc << 1;
        }

        return crc;
    }
}
