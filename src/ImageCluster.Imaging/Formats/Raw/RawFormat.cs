using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Raw;

/// <summary>Raw: the guest's bytes as they are. Driver options <c>offset</c> and <c>size</c> select a part of the file.</summary>
public sealed class RawFormat : ImageFormat
{
    public override string Name => "raw";

    /// <summary>1: anything can be raw, so everything else goes first (block/raw-format.c scores the same).</summary>
    public override int Probe(ReadOnlySpan<byte> head, string fileName) => 1;

    /// <remarks>The preallocation of a raw image is an option of the file (the protocol level).</remarks>
    public override IReadOnlyList<CreateOption> CreateOptions { get; } = [new("size", CreateOptionType.Size, "Virtual disk size")];

    public override IImageLayer Open(OpenContext context) => RawLayer.Open(context);

    public override void Create(CreateRequest request) => RawCreator.Create(request).Dispose();

    public override IFillTarget CreateFill(CreateRequest request)
    {
        IBlockFile file = RawCreator.Create(request);
        try
        {
            long size = RawCreator.RoundedSize(request);
            if (file is IPartFile { PartLength: > 0 } parts)
            {
                return new RawPartFill(file, parts, size);
            }

            bool isZero = file.CanResize || (file is IFastZero device && device.TryZeroFast(0, Math.Min(size, file.Length)));
            return new RawFill(file, size, isZero);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public override IFillTarget OpenFill(CreateRequest request)
    {
        IBlockFile file = request.Locator.Open(request.FileName, request.Mode with { Role = FileRole.Raw });
        return new RawFill(file, RawCreator.RoundedSize(request), file.CanResize);
    }

    /// <summary>The disk's own size, whatever is in it.</summary>
    public override MeasureResult? Measure(MeasureRequest request)
    {
        long size = RawCreator.RoundedSize(request.VirtualSize, null);
        return new MeasureResult(size, size);
    }
}
