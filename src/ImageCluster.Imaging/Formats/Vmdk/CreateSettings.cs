namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>What <c>create -o</c> asks for, checked in QEMU's order and words.</summary>
internal sealed record CreateSettings
{
    /// <summary>Sectors a track and heads of the geometry that the descriptor states.</summary>
    public const int SectorsPerTrack = 63;

    private const long SplitBytes = 1L << 31;

    public required Subformat Subformat { get; init; }

    /// <summary>Bytes, whole sectors.</summary>
    public required long Size { get; init; }

    public required string AdapterType { get; init; }

    public required string HardwareVersion { get; init; }

    public required string ToolsVersion { get; init; }

    public required bool ZeroedGrains { get; init; }

    /// <summary>As it is to stand in the descriptor; null where there is none.</summary>
    public required string? BackingFile { get; init; }

    public bool Flat => Subformat is Subformat.MonolithicFlat or Subformat.TwoGbMaxExtentFlat;

    public bool Split => Subformat is Subformat.TwoGbMaxExtentSparse or Subformat.TwoGbMaxExtentFlat;

    public bool Stream => Subformat == Subformat.StreamOptimized;

    /// <summary>The descriptor stands in the one extent.</summary>
    public bool Embedded => !Flat && !Split;

    /// <summary>Bytes of an extent at the most.</summary>
    public long ExtentBytes => Split ? SplitBytes : Math.Max(1, Size);

    /// <summary>With adapters other than IDE VMware counts 255 heads.</summary>
    public int Heads => AdapterType == "ide" ? 16 : 255;

    public long Cylinders => Size / (SectorsPerTrack * Heads * VmdkLimits.SectorSize);

    public static CreateSettings From(CreateRequest request)
    {
        OptionReader options = new(request.Options, request.FileName);
        if (options.Text("backing_fmt") is { Length: > 0 } and not "vmdk")
        {
            throw Invalid("backing_file must be a vmdk image");
        }

        if (request.FileName.Length == 0)
        {
            throw Invalid("No filename provided");
        }

        if (request.VirtualSize is < 0 or > VmdkLimits.MaxSectors * VmdkLimits.SectorSize)
        {
            throw VmdkLimits.DiskTooLarge(request.FileName);
        }

        string adapter = options.Text("adapter_type") ?? "ide";
        if (adapter is not ("ide" or "buslogic" or "lsilogic" or "legacyESX"))
        {
            throw Invalid($"invalid parameter value: {adapter}");
        }

        string subformat = options.Text("subformat") ?? "monolithicSparse";
        string? hardware = options.Text("hwversion") is { } version and not "undefined" ? version : null;
        bool compat6 = options.Flag("compat6", false);
        CreateSettings settings = new()
        {
            Subformat = SubformatNames.Parse(subformat) ?? throw Invalid($"invalid parameter value: {subformat}"),
            Size = VmdkLimits.RoundUp(request.VirtualSize, VmdkLimits.SectorSize),
            AdapterType = adapter,
            HardwareVersion = hardware ?? (compat6 ? "6" : "4"),
            ToolsVersion = options.Text("toolsversion") ?? "2147483647",
            ZeroedGrains = options.Flag("zeroed_grain", false),
            BackingFile = options.Text("backing_file") is { Length: > 0 } backing ? backing : null,
        };

        if (compat6 && hardware is not null)
        {
            throw Invalid("compat6 cannot be enabled with hwversion set");
        }

        if (settings.Flat && settings.BackingFile is not null)
        {
            throw new ImageException(ImageErrorKind.Unsupported, request.FileName, "Flat image can't have backing file");
        }

        if (settings.Flat && settings.ZeroedGrains)
        {
            throw new ImageException(ImageErrorKind.Unsupported, request.FileName, "Flat image can't enable zeroed grain");
        }

        _ = options.FilePreallocation();
        settings.CheckSizes(request.FileName);
        settings.CheckTexts(request.FileName);
        return settings;

        ImageException Invalid(string message) => new(ImageErrorKind.InvalidArgument, request.FileName, message);
    }

    private void CheckSizes(string file)
    {
        if (Size / ExtentBytes > VmdkLimits.MaxExtents)
        {
            throw new ImageException(ImageErrorKind.Limit, file, $"Image size needs more than {VmdkLimits.MaxExtents:#,0} extents");
        }

        if (!Flat && SparseLayout.TablesFor(ExtentBytes) > VmdkLimits.MaxGrainTables)
        {
            throw new ImageException(ImageErrorKind.Limit, file, "Image size is beyond what a sparse extent can map (1 PiB)");
        }
    }

    // A quote or a line end in a value would write other lines into the descriptor than were asked for.
    private void CheckTexts(string file)
    {
        foreach (string? text in (string?[])[HardwareVersion, ToolsVersion, BackingFile, Path.GetFileName(file)])
        {
            if (text is not null && (text.Contains('"') || text.Any(char.IsControl)))
            {
                throw new ImageException(ImageErrorKind.InvalidArgument, file, $"A VMDK descriptor cannot hold quotes or control characters: '{text.ReplaceLineEndings(" ")}'");
            }
        }
    }
}
