namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>The header of a vmfsSparse extent (magic <c>COWD</c>), as ESX writes for snapshots.</summary>
internal static class CowdHeader
{
    /// <summary>"COWD" as it stands in the file, read as big-endian.</summary>
    public const uint Magic = 0x434F5744;
}
