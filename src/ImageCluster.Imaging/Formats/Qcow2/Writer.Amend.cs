using System.Numerics;
using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <content>Changing options of an image that is there already; complaints are qemu-img's.</content>
internal sealed partial class WritableQcow2Image : IAmendable
{
    private const string EncryptionPrefix = "encrypt.";

    /// <remarks>
    /// Newer version, lazy refcounts, size, the data file's name, and the key slots of encryption. What would have to rewrite all tables (an
    /// older version, another width of refcounts) is refused.
    /// </remarks>
    public void Amend(AmendRequest request)
    {
        OptionReader options = new(request.Options, FileName);
        Header header = Metadata.Header;
        int version = ReadVersion(options.Text("compat"), header.Version);
        RefuseWhatCannotChange(options, header);
        string? dataFile = options.Text("data_file");
        if (dataFile is not null && !header.HasDataFile)
        {
            throw Wrong("data-file can only be set for images that use an external data file");
        }

        long refcountBits = options.Number("refcount_bits", 1L << header.RefcountOrder);
        CheckRefcountBits(refcountBits, options.Text("refcount_bits") is not null, version);
        bool lazy = options.Flag("lazy_refcounts", (header.Compatible & CompatibleFeatures.LazyRefcounts) != 0);
        if (lazy && version < 3)
        {
            throw Wrong("Lazy refcounts only supported with compatibility level 1.1 and above (use compat=1.1 or greater)");
        }

        if (version < header.Version)
        {
            throw Unsupported("Going back to compat=0.10 is not supported");
        }

        if (refcountBits != 1L << header.RefcountOrder)
        {
            throw Unsupported("Changing the width of refcounts is not supported");
        }

        AmendKeys(request);
        WriteAmended(now => now with
        {
            Version = version,
            Compatible = lazy ? now.Compatible | CompatibleFeatures.LazyRefcounts : now.Compatible & ~CompatibleFeatures.LazyRefcounts,
            DataFile = dataFile ?? now.DataFile,
        });
        if (options.Text("size") is not null)
        {
            Resize(options.Size("size", 0), "off");
        }

        request.Progress?.Invoke(1, 1);
    }

    private void WriteAmended(Func<Header, Header> change) => Alone(() =>
    {
        Tables.Begin();
        Tables.Flush();
        Header header = change(Metadata.Header);
        byte[] cluster = HeaderWriter.Write(header, FileName);
        Tables.Guard(() =>
        {
            Metadata.File.Write(0, cluster);
            Metadata.File.Flush();
        });
        Metadata.Header = header;
        return 0;
    });

    private int ReadVersion(string? compat, int current) => compat switch
    {
        null or "" => current,
        "0.10" or "v2" => 2,
        "1.1" or "v3" => 3,
        _ => throw Wrong($"Unknown compatibility level {compat}"),
    };

    private void RefuseWhatCannotChange(OptionReader options, Header header)
    {
        if ((options.Text("backing_file") is { } file && file != (header.BackingFile ?? ""))
            || (options.Text("backing_fmt") is { } format && format != (header.BackingFormat ?? "")))
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, FileName, "Cannot amend the backing file")
            {
                Hint = "You can use 'qemu-img rebase' instead.\n",
            };
        }

        if (options.Text("data_file_raw") is not null && options.Flag("data_file_raw", false) != header.IsDataFileRaw)
        {
            throw Wrong("data-file-raw cannot be set on existing images");
        }
    }

    private void AmendKeys(AmendRequest request)
    {
        Dictionary<string, string> ofKeys = request.Options
            .Where(static option => option.Key.StartsWith(EncryptionPrefix, StringComparison.Ordinal))
            .ToDictionary(static option => option.Key, static option => option.Value);
        if (ofKeys.Count == 0)
        {
            return;
        }

        if (Metadata.Header.CryptMethod == CryptMethod.None)
        {
            throw Wrong("Can't amend encryption options - encryption not present");
        }

        ImageEncryption.Amend(Encryption, request with { Options = ofKeys }, FileName);
    }

    private void CheckRefcountBits(long bits, bool isGiven, int version)
    {
        if (bits is < 1 or > 64 || !BitOperations.IsPow2(bits))
        {
            throw Wrong("Refcount width must be a power of two and may not exceed 64 bits");
        }

        if (version < 3 && bits != 16)
        {
            throw Wrong(isGiven
                ? "Refcount widths other than 16 bits require compatibility level 1.1 or above (use compat=1.1 or greater)"
                : "compat=0.10 requires refcount_bits=16");
        }
    }

    private ImageException Wrong(string message) => new(ImageErrorKind.InvalidArgument, FileName, message);

    private ImageException Unsupported(string message) => new(ImageErrorKind.Unsupported, FileName, message);
}
