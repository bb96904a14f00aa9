using ImageCluster.Imaging.Tests.Formats.BlockTables;

namespace ImageCluster.Imaging.Tests.Formats.Vdi;

public sealed class VdiTests() : WritableFormatTests("vdi")
{
    protected override IReadOnlyList<string> OptionSets { get; } = ["", "static=on"];

    protected override void Normalize(byte[] image) => image.AsSpan(0x188, 0x20).Clear();
}
