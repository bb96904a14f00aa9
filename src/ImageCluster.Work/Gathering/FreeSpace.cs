namespace ImageCluster.Work.Gathering;

/// <summary>Room on file systems.</summary>
public static class FreeSpace
{
    /// <summary>Bytes that this user may still write below <paramref name="directory"/>, which need not be there yet; null where the system does not say.</summary>
    public static long? At(string directory)
    {
        string? there = directory;
        while (there is not null && !Directory.Exists(there))
        {
            there = Path.GetDirectoryName(there);
        }

        try
        {
            return there is null ? null : new DriveInfo(there).AvailableFreeSpace;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    }
}
