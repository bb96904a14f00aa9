using System.Numerics;
using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// What an amend asks for, read and checked against the image before anything is changed. Complaints are qemu-img's; it makes some of them
/// only when the first changes are done.
/// </summary>
internal sealed class AmendPlan
{
    private const string EncryptionPrefix = "encrypt.";
    private const int Version2RefcountBits = 16;

    private readonly string _file;

    private AmendPlan(AmendRequest request, Header header, string file)
    {
        _file = file;
        OptionReader options = new(request.Options, file);
        Version = ReadVersion(options.Text("compat"), header.Version);
        KeyOptions = request.Options
            .Where(static option => option.Key.StartsWith(EncryptionPrefix, StringComparison.Ordinal))
            .ToDictionary(static option => option.Key, static option => option.Value);
        if (KeyOptions.Count > 0 && header.CryptMethod == CryptMethod.None)
        {
            throw Wrong("Can't amend encryption options - encryption not present");
        }

        RefcountOrder = ReadRefcountOrder(options, header);
        DataFile = options.Text("data_file");
        if (DataFile is not null && !header.HasDataFile)
        {
            throw Wrong("data-file can only be set for images that use an external data file");
        }

        IsDataFileRaw = options.Flag("data_file_raw", header.IsDataFileRaw);
        if (IsDataFileRaw && !header.IsDataFileRaw)
        {
            throw Wrong("data-file-raw cannot be set on existing images");
        }

        if (RefcountOrder != header.RefcountOrder && Version < 3 && 1 << RefcountOrder != Version2RefcountBits)
        {
            throw Wrong("Refcount widths other than 16 bits require compatibility level 1.1 or above (use compat=1.1 or greater)");
        }

        CheckBacking(options, header);
        IsLazy = options.Flag("lazy_refcounts", header.HasLazyRefcounts);
        if (IsLazy && !header.HasLazyRefcounts && Version < 3)
        {
            throw Wrong("Lazy refcounts only supported with compatibility level 1.1 and above (use compat=1.1 or greater)");
        }

        // 0 is taken and changes nothing.
        long size = options.Size("size", 0);
        Size = size == 0 ? null : size;
    }

    /// <summary>2 or 3.</summary>
    public int Version { get; }

    /// <summary>Base-2 logarithm of the width of refcounts in bits.</summary>
    public int RefcountOrder { get; }

    public bool IsLazy { get; }

    /// <summary>The new name of the external data file; empty to forget it, null to leave it.</summary>
    public string? DataFile { get; }

    public bool IsDataFileRaw { get; }

    /// <summary>The disk's new size in bytes; null to leave it.</summary>
    public long? Size { get; }

    /// <summary>The options <c>encrypt.*</c>.</summary>
    public IReadOnlyDictionary<string, string> KeyOptions { get; }

    public static AmendPlan Of(AmendRequest request, Header header, string file) => new(request, header, file);

    /// <summary>Refuses what version 2 cannot hold.</summary>
    public void CheckDowngrade(Header header, IReadOnlyList<Snapshot> snapshots)
    {
        if (1 << RefcountOrder != Version2RefcountBits)
        {
            throw Refused("compat=0.10 requires refcount_bits=16");
        }

        if (header.HasDataFile)
        {
            throw Refused("Cannot downgrade an image with a data file");
        }

        long size = Size ?? header.VirtualSize;
        if (snapshots.Any(snapshot => snapshot.VmStateSize > uint.MaxValue || snapshot.DiskSize != size))
        {
            throw Refused("Internal snapshots prevent downgrade of image");
        }

        IncompatibleFeatures features = header.Incompatible & ~(IncompatibleFeatures.Dirty | IncompatibleFeatures.Compression);
        if (features != 0)
        {
            throw Refused($"Cannot downgrade an image with incompatible features 0x{(ulong)features:x} set");
        }
    }

    private int ReadVersion(string? compat, int current) => compat switch
    {
        null => current,
        "0.10" or "v2" => 2,
        "1.1" or "v3" => 3,
        _ => throw Wrong($"Unknown compatibility level {compat}"),
    };

    private int ReadRefcountOrder(OptionReader options, Header header)
    {
        long bits = options.Number("refcount_bits", 1L << header.RefcountOrder);
        return bits is >= 1 and <= 64 && BitOperations.IsPow2(bits)
            ? BitOperations.Log2((ulong)bits)
            : throw Wrong("Refcount width must be a power of two and may not exceed 64 bits");
    }

    // Both must be given, and be what they are.
    private void CheckBacking(OptionReader options, Header header)
    {
        string? file = options.Text("backing_file");
        string? format = options.Text("backing_fmt");
        if ((file is not null || format is not null) && (file != header.Backing?.Name || format != header.Backing?.Format))
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, _file, "Cannot amend the backing file")
            {
                Hint = "You can use 'qemu-img rebase' instead.\n",
            };
        }
    }

    private ImageException Wrong(string message) => new(ImageErrorKind.InvalidArgument, _file, message);

    private ImageException Refused(string message) => new(ImageErrorKind.Unsupported, _file, message);
}
