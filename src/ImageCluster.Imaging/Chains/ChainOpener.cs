using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Chains;

/// <summary>
/// Opens images with their backing files. The one place that follows a backing reference, and so the one that knows the chain's
/// policy: depth, loops, stated or probed formats, protocols. Which files may be opened at all is the locator's to say
/// (ConfinedLocator).
/// </summary>
public sealed class ChainOpener(IFileLocator locator)
{
    /// <summary>Bytes that probing looks at (QEMU's BLOCK_PROBE_BUF_SIZE).</summary>
    public const int ProbeLength = 512;

    public IFileLocator Locator => locator;

    /// <summary>Opens <paramref name="name"/> and, unless told otherwise, every image that it stands on.</summary>
    public LayeredDisk Open(string name, ChainOptions options)
    {
        List<IImageLayer> layers = [];
        HashSet<string> seen = [];
        try
        {
            seen.Add(locator.Canonical(name));
            layers.Add(OpenLayer(name, options.WritableLayers > 0 ? options : options with { Mode = options.Mode with { Write = false } }));
            while (options.FollowBacking && layers[^1].Backing is { } backing)
            {
                IImageLayer overlay = layers[^1];
                layers.Add(OpenBacking(overlay, backing, layers.Count, seen, options));
                if (!options.DescribeOnly && !options.ForCheck)
                {
                    (overlay as IVerifiesParent)?.VerifyParent(layers[^1]);
                }
            }

            return new LayeredDisk(layers);
        }
        catch
        {
            layers.ForEach(layer => layer.Dispose());
            throw;
        }
    }

    /// <summary>Opens one image file without its parents.</summary>
    public IImageLayer OpenLayer(string name, ChainOptions options)
    {
        ImageFormat? stated = options.Format is { } formatName ? FindFormat(formatName, name) : null;
        IBlockFile file = locator.Open(name, options.Mode);
        ImageFormat format;
        try
        {
            format = stated ?? Probe(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }

        return format.Open(new OpenContext
        {
            File = file,
            FileName = name,
            Locator = new ReferenceLocator(locator, options.References),
            Mode = options.Mode,
            DescribeOnly = options.DescribeOnly,
            ForCheck = options.ForCheck,
            Secret = options.Secret,
            Options = options.Options,
        });
    }

    /// <summary>The format that is surest of the file, by its first bytes and name; raw where no other claims it.</summary>
    public static ImageFormat Probe(IBlockFile file)
    {
        Span<byte> buffer = stackalloc byte[ProbeLength];
        buffer.Clear();

        // QEMU reads whole sectors: a shorter file looks as if zeros followed.
        ReadOnlySpan<byte> head = file.Read(0, buffer) > 0 ? buffer : [];
        ImageFormat? best = null;
        int bestScore = 0;
        foreach (ImageFormat format in FormatRegistry.All)
        {
            int score = format.Probe(head, file.Name);
            if (score > bestScore)
            {
                (best, bestScore) = (format, score);
            }
        }

        return best ?? throw new ImageException(ImageErrorKind.NotThisFormat, file.Name, "Could not determine image format: No compatible driver found");
    }

    /// <summary>The name by which the locator finds what <paramref name="referrer"/> calls <paramref name="reference"/>.</summary>
    public string Resolve(string referrer, string reference) => locator.Combine(referrer, reference);

    private IImageLayer OpenBacking(IImageLayer overlay, BackingReference backing, int depth, HashSet<string> seen, ChainOptions options)
    {
        if (depth >= options.MaxDepth)
        {
            throw new ImageException(ImageErrorKind.Limit, overlay.FileName,
                $"Backing chain is deeper than {options.MaxDepth} images")
            {
                Hint = "Flatten a part of the chain first.",
            };
        }

        if (backing.Format is null && !options.AllowProbedBacking)
        {
            throw new ImageException(ImageErrorKind.Policy, overlay.FileName,
                $"Backing file '{backing.Name}' has no stated format, and guessing is not allowed here")
            {
                Hint = "State it: rebase -u -F FORMAT -b FILE IMAGE.",
            };
        }

        try
        {
            string name = locator.Combine(overlay.FileName, backing.Name);
            options.References.Require(name);
            if (!seen.Add(locator.Canonical(name)))
            {
                throw new ImageException(ImageErrorKind.Policy, overlay.FileName, $"Backing file '{name}' creates an infinite loop.");
            }

            bool write = options.Mode.Write && (depth < options.WritableLayers || depth == options.WritableBase);
            return OpenLayer(name, options with
            {
                Format = backing.Format,
                Mode = options.Mode with { Write = write },
                ForCheck = false,
                Options = new Dictionary<string, string>(),
            });
        }
        catch (ImageException e) when (!e.Message.StartsWith("Could not open backing file", StringComparison.Ordinal))
        {
            throw new ImageException(e.Kind, e.File, $"Could not open backing file: {e.Message}", e) { Hint = e.Hint, Errno = e.Errno };
        }
    }

    private static ImageFormat FindFormat(string formatName, string file) => FormatRegistry.Find(formatName) ??
        throw new ImageException(ImageErrorKind.InvalidArgument, file, $"Unknown driver '{formatName}'");
}
