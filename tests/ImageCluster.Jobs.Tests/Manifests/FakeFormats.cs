using ImageCluster.Imaging.Formats;

namespace ImageCluster.Jobs.Tests.Manifests;

/// <summary>A small registry of formats, so that tests of manifests do not hang on the engine's.</summary>
internal static class FakeFormats
{
    public static readonly IReadOnlyList<ImageFormat> All =
    [
        new FakeFormat("raw", backing: false, "preallocation"),
        new FakeFormat("qcow2", backing: true, "cluster_size", "compression_type", "lazy_refcounts"),
        new FakeFormat("vmdk", backing: true, "subformat"),
        new FakeFormat("vhdx", backing: false, "subformat"),
        new FakeFormat("dmg", backing: false),
    ];

    private sealed class FakeFormat(string name, bool backing, params string[] options) : ImageFormat
    {
        public override string Name => name;

        public override bool SupportsBacking => backing;

        public override IReadOnlyList<CreateOption> CreateOptions =>
            [.. options.Select(option => new CreateOption(option, CreateOptionType.Text, ""))];

        public override IImageLayer Open(OpenContext context) => throw new NotSupportedException();
    }
}
