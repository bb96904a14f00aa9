using ImageCluster.Imaging.Tests.Formats.BlockTables;

namespace ImageCluster.Imaging.Tests.Formats.Qcow;

public sealed class QcowBackingTests() : BackingFormatTests("qcow")
{
    protected override string Options => "";
}
