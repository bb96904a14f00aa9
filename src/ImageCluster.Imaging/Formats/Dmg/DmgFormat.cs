namespace ImageCluster.Imaging.Formats.Dmg;

/// <summary>Apple disk images (dmg) with adc, zlib and bzip2 chunks; read only. lzfse and lzma are refused by name, chunk by chunk.</summary>
public sealed class DmgFormat : ImageFormat
{
    public override string Name => "dmg";

    public override bool CanWrite => false;

    /// <summary>The file has nothing at its start to go by: its name must do.</summary>
    public override int Probe(ReadOnlySpan<byte> head, string fileName) =>
        fileName.Length > 4 && fileName.EndsWith(".dmg", StringComparison.Ordinal) ? 2 : 0;

    public override IImageLayer Open(OpenContext context) => DmgReader.Open(context);
}
