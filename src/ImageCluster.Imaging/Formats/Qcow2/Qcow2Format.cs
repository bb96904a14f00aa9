using System.Buffers;
using System.Buffers.Binary;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Formats.Filters.Debugging;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>qcow2, versions 2 and 3 (qemu docs/interop/qcow2.txt).</summary>
public sealed class Qcow2Format : ImageFormat
{
    private const int Certain = 100;

    // Bytes of a table that are looked at when an image is opened.
    private const int TouchedLength = 64 << 10;

    private const string Stale = "a program lacking bitmap support modified this file, so all bitmaps are now considered inconsistent";
    private const string StaleInVersion2 = "This qcow2 v2 image contains bitmaps, but they may have been modified by a program "
        + "without persistent bitmap support; so now they must all be considered inconsistent";
    private const string StaleHint = "Some clusters may be leaked, run 'qemu-img check -r' on the image file to fix.";

    public override string Name => "qcow2";

    public override bool SupportsBacking => true;

    public override bool SupportsCompression => true;

    public override bool SupportsBitmaps(CreateRequest request) => CreateSettings.Read(request).Header.Version >= 3;

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
        NewImage image = PlanFill(request, out CreateSettings settings, out byte[]? password);
        IBlockFile file = request.Locator.Create(request.FileName, 0, request.Mode);
        IBlockFile? data = null;
        try
        {
            data = Creator.CreateDataFile(request, settings);
            image.WritePreallocation(file, data);
            ISectorCipher? cipher = settings.Encryption?.Write(image, file, password!);
            return new Qcow2Fill(image, file, data, request.Compress) { Cipher = cipher };
        }
        catch
        {
            bool hasDataFile = data is not null;
            data?.Dispose();
            file.Dispose();
            Creator.DeleteUnfinished(request, hasDataFile ? settings.DataFile : null);
            throw;
        }
    }

    public override IFillTarget OpenFill(CreateRequest request)
    {
        NewImage image = PlanFill(request, out CreateSettings settings, out byte[]? password);
        IBlockFile file = request.Locator.Open(request.FileName, request.Mode);
        try
        {
            ISectorCipher? cipher = settings.Encryption?.Open(image, file, password!);
            IBlockFile? data = settings.DataFile is null ? null : request.Locator.Open(settings.DataFile, request.Mode with { Role = FileRole.Data });
            return new Qcow2Fill(image, file, data, request.Compress) { Cipher = cipher };
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
        ImageEncryption? encryption = null;
        try
        {
            Header header = Reading("Could not read qcow2 header", () => HeaderReader.Read(context.File, context.ForCheck));
            if (!context.DescribeOnly)
            {
                RequireTables(context.File, header);
            }

            if (header.IsCorrupt && context.Write && !context.ForCheck)
            {
                throw new ImageException(ImageErrorKind.Corrupt, context.FileName, "qcow2: Image is corrupt; cannot be opened read/write");
            }

            if (header.HasStaleBitmaps)
            {
                context.Warn(header.Version < 3 ? StaleInVersion2 : Stale, StaleHint);
            }

            ImageException? unreadable = null;
            if (header.HasDataFile)
            {
                dataFile = OpenDataFile(header, context, out unreadable);
            }
            else if ((context.OpenData is not null || context.Options.ContainsKey("data-file.filename")) && !context.DescribeOnly)
            {
                OpenDataFile(header, context, out _)?.Dispose();
                throw new ImageException(ImageErrorKind.InvalidArgument, context.FileName, "'data-file' can only be set for images with an external data file");
            }

            encryption = ImageEncryption.Open(header, context);
            if (encryption is { Cipher: null })
            {
                unreadable ??= new ImageException(ImageErrorKind.Secret, context.FileName, "Parameter 'encrypt.key-secret' is required for cipher");
            }

            Qcow2Image image = Assemble(new Metadata(context.File, dataFile, header), context, unreadable, encryption);
            if (!context.ForCheck)
            {
                // QEMU refuses an image whose directories are broken, so their errors are found now.
                _ = Reading("Failed to read snapshot table", () => image.Snapshots);
            }

            _ = image.Bitmaps;
            if (header.HasStaleBitmaps && context.Write)
            {
                // As QEMU does: otherwise every program would warn of it again.
                BitmapsExtension.Write(image.Metadata, null);
            }

            return image;
        }
        catch
        {
            encryption?.Dispose();
            dataFile?.Dispose();
            context.File.Dispose();
            throw;
        }
    }

    // The tables are read when they are needed. That nothing can be read of them is said at once, as QEMU does.
    private static void RequireTables(IBlockFile file, Header header)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(TouchedLength);
        try
        {
            file.Tell("reftable_load");
            Touch("Could not initialize refcount handling", header.RefcountTableOffset, (long)header.RefcountTableClusters << header.ClusterBits);
            Touch("Could not read L1 table", header.L1Offset, header.L1Entries * (long)sizeof(ulong));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        void Touch(string what, long offset, long length) => Reading(what, () => file.Read(offset, buffer.AsSpan(0, (int)Math.Clamp(length, 0, TouchedLength))));
    }

    // What the storage refuses is said with what it was asked for.
    private static T Reading<T>(string what, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (ImageException e) when (e.Errno == Errno.IO && e.Corruption == CorruptionSignal.None)
        {
            throw e.Saying($"{what}: {Errno.Text(e.Errno)}");
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

    private static NewImage PlanFill(CreateRequest request, out CreateSettings settings, out byte[]? password)
    {
        settings = CreateSettings.Read(request);
        if (request.Compress && settings.Encryption is not null)
        {
            throw new ImageException(ImageErrorKind.Unsupported, request.FileName, "Compression and encryption not supported at the same time");
        }

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
        password = settings.Encryption?.Password(request.Secret, request.FileName);
        return image;
    }

    private static Qcow2Image Assemble(Metadata metadata, OpenContext context, ImageException? unreadable, ImageEncryption? encryption)
    {
        if (!context.Write)
        {
            return new Qcow2Image(metadata, context.FileName) { Unreadable = unreadable, Encryption = encryption };
        }

        WritableQcow2Image image = new(metadata, context.FileName, context.Room) { Unreadable = unreadable, Encryption = encryption };
        if (context.Room is not null)
        {
            image.RequireMerging();
        }
        else if (!context.ForCheck)
        {
            image.Start();
        }

        return image;
    }

    private static IBlockFile? OpenDataFile(Header header, OpenContext context, out ImageException? failure)
    {
        failure = null;
        if (context.OpenData is not null)
        {
            failure = context.DescribeOnly ? new ImageException(ImageErrorKind.Io, context.FileName, "The data file is not open") : null;
            return context.DescribeOnly ? null : context.OpenData();
        }

        try
        {
            string? reference = context.Options.TryGetValue("data-file.filename", out string? given) ? given : header.DataFile;
            if (string.IsNullOrEmpty(reference))
            {
                throw new ImageException(ImageErrorKind.InvalidArgument, context.FileName, "'data-file' is required for this image");
            }

            string name = given is null ? FindDataFile(context, reference) : reference;
            return context.Locator.Open(name, context.Mode with { Role = FileRole.Data });
        }
        catch (ImageException e) when (context.DescribeOnly)
        {
            failure = e;
            return null;
        }
    }

    // QEMU takes the name as it stands, from the working directory. An image that was moved with its data file, or must not leave its roots, has it beside it.
    private static string FindDataFile(OpenContext context, string reference)
    {
        if (ImagePath.ProtocolOf(reference) is not null && ImagePath.ToLocal(reference) != reference)
        {
            // As with QEMU, what an image names is a path, whatever it looks like: who was given the image must not be led to other machines.
            return "file:" + reference;
        }

        string beside = context.Locator.Combine(context.FileName, reference);
        try
        {
            return beside == reference || context.Locator.Exists(reference) || !context.Locator.Exists(beside) ? reference : beside;
        }
        catch (ImageException e) when (e.Kind == ImageErrorKind.Policy)
        {
            return beside;
        }
    }
}
