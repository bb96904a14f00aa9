using System.Buffers.Binary;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>qcow2, versions 2 and 3 (qemu docs/interop/qcow2.txt).</summary>
public sealed class Qcow2Format : ImageFormat
{
    private const int Certain = 100;

    public override string Name => "qcow2";

    public override bool SupportsBacking => true;

    public override bool SupportsCompression => true;

    public override int Probe(ReadOnlySpan<byte> head, string fileName) =>
        head.Length >= Header.Version2Length
        && BinaryPrimitives.ReadUInt32BigEndian(head) == Header.Magic
        && BinaryPrimitives.ReadUInt32BigEndian(head[4..]) >= 2
            ? Certain
            : 0;

    public override IReadOnlyList<CreateOption> CreateOptions => Qcow2CreateOptions.All;

    public override IReadOnlyList<CreateOption> AmendOptions => Qcow2CreateOptions.Amendable;

    public override void Create(CreateRequest request) => Creator.Create(request);

    public override IFillTarget CreateFill(CreateRequest request)
    {
        NewImage image = PlanFill(request, out CreateSettings settings);
        IBlockFile file = request.Locator.Create(request.FileName, 0, request.Mode);
        IBlockFile? data = null;
        try
        {
            data = Creator.CreateDataFile(request, settings);
            image.WritePreallocation(file, data);
            return new Qcow2Fill(image, file, data, request.Compress);
        }
        catch
        {
            data?.Dispose();
            file.Dispose();
            throw;
        }
    }

    public override IFillTarget OpenFill(CreateRequest request)
    {
        NewImage image = PlanFill(request, out CreateSettings settings);
        IBlockFile file = request.Locator.Open(request.FileName, request.Mode);
        try
        {
            IBlockFile? data = settings.DataFile is null ? null : request.Locator.Open(settings.DataFile, request.Mode);
            return new Qcow2Fill(image, file, data, request.Compress);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public override IImageLayer Open(OpenContext context)
    {
        IBlockFile? dataFile = null;
        try
        {
            Header header = HeaderReader.Read(context.File, context.ForCheck);
            if (header.IsCorrupt && context.Write && !context.ForCheck)
            {
                throw new ImageException(ImageErrorKind.Corrupt, context.FileName, "qcow2: Image is corrupt; cannot be opened read/write");
            }

            ImageException? unreadable = null;
            if (header.HasDataFile)
            {
                dataFile = OpenDataFile(header, context, out unreadable);
            }

            if (header.CryptMethod != CryptMethod.None)
            {
                unreadable ??= new ImageException(ImageErrorKind.Unsupported, context.FileName,
                    $"The data is encrypted with {(header.CryptMethod == CryptMethod.Aes ? "AES" : "LUKS")}, which is not supported");
            }

            Qcow2Image image = Assemble(new Metadata(context.File, dataFile, header), context, unreadable);
            if (!context.ForCheck)
            {
                // QEMU refuses an image whose directories are broken, so their errors are found now.
                _ = image.Snapshots;
            }

            _ = image.Bitmaps;
            return image;
        }
        catch
        {
            dataFile?.Dispose();
            context.File.Dispose();
            throw;
        }
    }

    // The header is written last; that it fits is made sure of first.
    public override MeasureResult? Measure(MeasureRequest request) => Measurer.Measure(request, CreateSettings.Read(new CreateRequest
    {
        FileName = "",
        Locator = new LocalFileLocator(),
        VirtualSize = 0,
        Options = request.Options,
    }));

    private static NewImage PlanFill(CreateRequest request, out CreateSettings settings)
    {
        settings = CreateSettings.Read(request);
        if (request.Compress && settings.DataFile is not null)
        {
            throw new ImageException(ImageErrorKind.Unsupported, request.FileName, "Compression is not supported with an external data file");
        }

        if (request.Compress && settings.Preallocation != Preallocation.Off)
        {
            throw new ImageException(ImageErrorKind.Unsupported, request.FileName, "Compression and preallocation not supported at the same time");
        }

        NewImage image = new(settings, request.FileName);
        HeaderWriter.Write(image.Header, request.FileName);
        return image;
    }

    private static Qcow2Image Assemble(Metadata metadata, OpenContext context, ImageException? unreadable)
    {
        if (!context.Write)
        {
            return new Qcow2Image(metadata, context.FileName) { Unreadable = unreadable };
        }

        WritableQcow2Image image = new(metadata, context.FileName) { Unreadable = unreadable };
        if (!context.ForCheck)
        {
            image.Start();
        }

        return image;
    }

    private static IBlockFile? OpenDataFile(Header header, OpenContext context, out ImageException? failure)
    {
        failure = null;
        try
        {
            string? reference = context.Options.TryGetValue("data-file.filename", out string? given) ? given : header.DataFile;
            if (string.IsNullOrEmpty(reference))
            {
                throw new ImageException(ImageErrorKind.InvalidArgument, context.FileName, "'data-file' is required for this image");
            }

            string name = given is null ? context.Locator.Combine(context.FileName, reference) : reference;
            return context.Locator.Open(name, context.Mode);
        }
        catch (ImageException e) when (context.DescribeOnly)
        {
            failure = e;
            return null;
        }
    }
}
