using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>
/// The files of a disk that is being made. It becomes an image with <see cref="Complete"/> and not before: until then the sparse
/// extents have no header and the descriptor is empty.
/// </summary>
internal sealed class NewDisk : IDisposable
{
    private readonly IBlockFile _main;
    private readonly uint _parentContentId;

    private NewDisk(CreateSettings settings, IBlockFile main, uint parentContentId, IReadOnlyList<NewExtent> extents)
    {
        Settings = settings;
        _main = main;
        _parentContentId = parentContentId;
        Extents = extents;
    }

    public CreateSettings Settings { get; }

    public IReadOnlyList<NewExtent> Extents { get; }

    /// <summary>Creates the files, empty, and writes what does not depend on the payload: the grain directories.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="directories">False for a stream that is to be filled: its directory comes last.</param>
    public static NewDisk Create(CreateRequest request, bool directories = true)
    {
        NewDisk disk = Make(request, (name, role) => request.Locator.Create(name, 0, request.Mode with { Write = true, Role = role }));
        try
        {
            foreach (NewExtent extent in disk.Extents)
            {
                extent.WriteStart(directories);
            }

            return disk;
        }
        catch
        {
            disk.Dispose();
            throw;
        }
    }

    /// <summary>Opens the files that <see cref="Create"/> made with the same request.</summary>
    public static NewDisk Open(CreateRequest request) => Make(request, (name, role) => request.Locator.Open(name, request.Mode with { Write = true, Role = role }));

    /// <summary>
    /// Makes the files an image: payload and tables first, then headers, and last what names everything. Durable on return.
    /// </summary>
    /// <param name="header">The header of the one extent where it is not the layout's own.</param>
    public void Complete(SparseHeader? header = null)
    {
        Flush();
        byte[] text = DescriptorText.Build(Settings, Descriptor.NewContentId(), _parentContentId,
            Extents.Select(extent => (extent.Length / VmdkLimits.SectorSize, extent.LineName)));
        Span<byte> sector = stackalloc byte[SparseHeader.Size];
        if (Settings.Embedded)
        {
            _main.Write(SparseLayout.DescriptorSector * VmdkLimits.SectorSize, text);
            _main.Flush();
            (header ?? Extents[0].Layout!.Header(Settings)).Write(sector);
            _main.Write(0, sector);
            _main.Flush();
            return;
        }

        foreach (NewExtent extent in Extents)
        {
            if (extent.Layout is { } layout)
            {
                layout.Header(Settings).Write(sector);
                extent.File.Write(0, sector);
                extent.File.Flush();
            }
        }

        _main.Write(0, text);
        _main.Flush();
    }

    public void Flush()
    {
        foreach (NewExtent extent in Extents)
        {
            extent.Flush();
        }
    }

    public void Dispose()
    {
        foreach (NewExtent extent in Extents)
        {
            extent.File.Dispose();
        }

        _main.Dispose();
    }

    private static NewDisk Make(CreateRequest request, Func<string, FileRole, IBlockFile> open)
    {
        CreateSettings settings = CreateSettings.From(request);
        uint parent = settings.BackingFile is null ? Descriptor.NoParent : ReadParent(request, settings.BackingFile);
        ExtentNames names = new(request.FileName);
        List<NewExtent> extents = [];

        // The file that names the extents comes last, as in QEMU: where somebody uses an extent it stays what it is.
        IBlockFile? main = settings.Embedded ? open(request.FileName, FileRole.Image) : null;
        try
        {
            if (main is not null)
            {
                CheckDescriptorFits(settings, parent, names.NameOf(settings, 0), request.FileName);
                extents.Add(new NewExtent(main, 0, settings.Size, names.NameOf(settings, 0), new SparseLayout(settings.Size)));
            }
            else
            {
                for (long start = 0; start < settings.Size; start += settings.ExtentBytes)
                {
                    long length = Math.Min(settings.ExtentBytes, settings.Size - start);
                    string path = names.PathOf(settings, extents.Count);
                    SparseLayout? layout = settings.Flat ? null : new SparseLayout(length);
                    extents.Add(new NewExtent(open(path, settings.Flat ? FileRole.Data : FileRole.Image), start, length, names.NameOf(settings, extents.Count), layout));
                }
            }

            main ??= open(request.FileName, FileRole.Image);
            return new NewDisk(settings, main, parent, extents);
        }
        catch
        {
            extents.ForEach(extent => extent.File.Dispose());
            main?.Dispose();
            throw;
        }
    }

    private static void CheckDescriptorFits(CreateSettings settings, uint parent, string lineName, string file)
    {
        int room = SparseLayout.DescriptorSectors * VmdkLimits.SectorSize;
        int length = DescriptorText.Build(settings, uint.MaxValue, parent, [(settings.Size / VmdkLimits.SectorSize, lineName)]).Length;
        if (length > room)
        {
            throw new ImageException(ImageErrorKind.Limit, file, $"Descriptor of {length:#,0} bytes does not fit into its {room:#,0}: the backing file's name is too long");
        }
    }

    private static uint ReadParent(CreateRequest request, string backingFile)
    {
        string name = request.Locator.Combine(request.FileName, backingFile);
        using (IImageLayer? described = request.OpenBacking(name))
        {
            if (described is not null)
            {
                return described is Reader disk ? disk.ContentId : throw NotVmdk(request, described.FormatName);
            }
        }

        using IBlockFile parent = request.Locator.Open(name, OpenMode.ReadOnly);
        string format = ChainOpener.Probe(parent).Name;
        return format == "vmdk" ? Opener.ReadContentId(parent) : throw NotVmdk(request, format);
    }

    private static ImageException NotVmdk(CreateRequest request, string format) =>
        new(ImageErrorKind.InvalidArgument, request.FileName, $"Invalid backing file format: {format}. Must be vmdk");
}
