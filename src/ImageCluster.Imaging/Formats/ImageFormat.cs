using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Imaging.Formats;

/// <summary>A disk-image format: what <see cref="FormatRegistry"/> lists. Stateless; one instance a format.</summary>
public abstract class ImageFormat
{
    /// <summary>The name as qemu-img says it.</summary>
    public abstract string Name { get; }

    /// <summary>
    /// How sure the format is, by the file's first 512 bytes (filled up with zeros where the file is shorter; none of an empty file) and
    /// its name, that the file is its own: QEMU's scores, 0 (no) to 100.
    /// </summary>
    public virtual int Probe(ReadOnlySpan<byte> head, string fileName) => 0;

    /// <summary>
    /// Opens one file. Succeeds wherever the image can be described, even where its data cannot be read (then
    /// <see cref="IImageLayer.Read"/> says why). The layer owns <see cref="OpenContext.File"/> from then on, also on failure.
    /// With <see cref="OpenContext.Write"/> the result is an <see cref="IWritableLayer"/> or the call fails.
    /// </summary>
    public abstract IImageLayer Open(OpenContext context);

    /// <summary>
    /// The options of <c>create -o</c>, in the order of the line "Formatting ..." that qemu-img prints (<c>size</c> first for most; help
    /// sorts by name); empty where the format is read-only.
    /// </summary>
    public virtual IReadOnlyList<CreateOption> CreateOptions => [];

    /// <summary>The options of <c>amend -o</c>; empty where nothing can be amended.</summary>
    public virtual IReadOnlyList<CreateOption> AmendOptions => [];

    public virtual bool CanCreate => CreateOptions.Count > 0;

    /// <summary>False for a format whose images are only read.</summary>
    public virtual bool CanWrite => true;

    /// <summary>True where the header can name a backing file.</summary>
    public virtual bool SupportsBacking => false;

    /// <summary>True where payload can be compressed (<c>convert -c</c>).</summary>
    public virtual bool SupportsCompression => false;

    /// <summary>True where an image that is made like this can hold persistent bitmaps (<see cref="Capabilities.IBitmaps"/>).</summary>
    public virtual bool SupportsBitmaps(CreateRequest request) => false;

    /// <summary>Writes an empty image.</summary>
    public virtual void Create(CreateRequest request) => throw CannotCreate(request);

    /// <summary>
    /// Starts a new image that is to be filled (convert): writes what must stand before the payload. Until
    /// <see cref="IFillTarget.Finish"/> the file is not an image of this format that anybody would accept as complete.
    /// </summary>
    public virtual IFillTarget CreateFill(CreateRequest request) => throw CannotCreate(request);

    /// <summary>
    /// Opens a target that <see cref="CreateFill"/> started with the same request, in another process or after a crash. Nothing is
    /// read from metadata that is not yet published: the request alone determines the layout.
    /// </summary>
    public virtual IFillTarget OpenFill(CreateRequest request) => throw CannotCreate(request);

    /// <summary>Calculates the size of an image's file before it is made; null where the format has no such calculation.</summary>
    public virtual MeasureResult? Measure(MeasureRequest request) => null;

    private ImageException CannotCreate(CreateRequest request) =>
        new(ImageErrorKind.Unsupported, request.FileName, $"Format driver '{Name}' does not support image creation");
}
