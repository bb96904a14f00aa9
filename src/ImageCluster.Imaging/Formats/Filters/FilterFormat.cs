using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Filters.Several;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Filters;

/// <summary>
/// QEMU's filter drivers (qemu-block-drivers(7), QAPI BlockdevDriver) as nodes over another image: the disk is that image's. What they do to
/// requests on their way matters to a running machine: <c>throttle</c>, <c>preallocate</c> and <c>copy-on-read</c> let them pass;
/// <c>compress</c> has what is written compressed; <c>blkdebug</c> has requests fail as its rules say; <c>blkverify</c> and <c>quorum</c> stand
/// over several images that are to hold the same.
/// </summary>
/// <param name="name">The driver.</param>
internal sealed class FilterFormat(string name) : ImageFormat
{
    public const string Blkdebug = "blkdebug";
    public const string Blkverify = "blkverify";
    public const string Compress = "compress";
    public const string CopyOnRead = "copy-on-read";
    public const string Preallocate = "preallocate";
    public const string Quorum = "quorum";
    public const string Throttle = "throttle";

    public override string Name => name;

    public override IImageLayer Open(OpenContext context)
    {
        try
        {
            Check(context);
            return new FilterLayer(name, context);
        }
        catch
        {
            context.File.Dispose();
            foreach (IBlockFile other in context.Others)
            {
                other.Dispose();
            }

            throw;
        }
    }

    /// <summary>What can be said of the options before any file is opened.</summary>
    /// <param name="options">The driver's own.</param>
    /// <param name="children">How many images it stands over.</param>
    /// <exception cref="ImageException">They are wrong.</exception>
    public void CheckOptions(IReadOnlyDictionary<string, string> options, int children)
    {
        if (name == Quorum)
        {
            _ = QuorumSettings.Read(options, children);
        }
    }

    private void Check(OpenContext context)
    {
        LayeredFile? image = context.File as LayeredFile;
        string? complaint = name switch
        {
            Throttle when !context.Options.ContainsKey("throttle-group") => "Please specify a throttle group",
            CopyOnRead when !context.Write => "Block node is read-only",
            Compress when image is null => "Compression is not supported for underlying format: file",
            Compress when FormatRegistry.Find(image.Disk.Top.FormatName) is not { SupportsCompression: true } || (context.Write && image.Disk.Top is not ICompressedWriter) =>
                $"Compression is not supported for underlying format: {image.Disk.Top.FormatName}",
            _ => null,
        };
        if (complaint is not null)
        {
            throw new ImageException(ImageErrorKind.Unsupported, context.FileName, complaint);
        }
    }
}
