namespace ImageCluster.Imaging.Formats.Cloop;

/// <summary>Compressed loop images, version 2, of live systems; read only.</summary>
public sealed class CloopFormat : ImageFormat
{
    public override string Name => "cloop";

    public override bool CanWrite => false;

    public override int Probe(ReadOnlySpan<byte> head, string fileName) => CloopHeader.HasScript(head) ? 2 : 0;

    public override IImageLayer Open(OpenContext context) => CloopReader.Open(context);
}
