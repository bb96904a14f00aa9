namespace ImageCluster.Imaging.Formats.Bochs;

/// <summary>Growing disks of the Bochs emulator; read only.</summary>
public sealed class BochsFormat : ImageFormat
{
    public override string Name => "bochs";

    public override bool CanWrite => false;

    public override int Probe(ReadOnlySpan<byte> head, string fileName) => BochsHeader.IsGrowing(head) ? 100 : 0;

    public override IImageLayer Open(OpenContext context) => BochsReader.Open(context);
}
