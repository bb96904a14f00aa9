namespace ImageCluster.Imaging.Operations.Converting;

/// <summary>Reads what can be read: after a failure again in halves down to a sector, zeros for sectors that fail.</summary>
internal static class SalvageReader
{
    private const int SectorSize = 512;

    public static void Read(IConvertSource source, long offset, Span<byte> buffer, Func<long, ImageException, bool> goOn)
    {
        try
        {
            source.Read(offset, buffer);
        }
        catch (ImageException e)
        {
            if (buffer.Length <= SectorSize)
            {
                if (!goOn(offset, e))
                {
                    throw;
                }

                buffer.Clear();
                return;
            }

            int half = Math.Max(SectorSize, buffer.Length / 2 / SectorSize * SectorSize);
            Read(source, offset, buffer[..half], goOn);
            Read(source, offset + half, buffer[half..], goOn);
        }
    }
}
