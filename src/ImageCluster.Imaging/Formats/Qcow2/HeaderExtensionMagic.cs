namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>The types of header extensions.</summary>
internal static class HeaderExtensionMagic
{
    public const uint End = 0;
    public const uint BackingFormat = 0xE2792ACA;
    public const uint FeatureNames = 0x6803F857;
    public const uint Bitmaps = 0x23852875;
    public const uint CryptoHeader = 0x0537BE77;
    public const uint DataFile = 0x44415441;
}
