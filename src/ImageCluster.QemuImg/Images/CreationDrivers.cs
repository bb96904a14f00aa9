using System.Diagnostics.CodeAnalysis;
using ImageCluster.Imaging;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Protocols;
using ImageCluster.QemuImg.CommandLine;

namespace ImageCluster.QemuImg.Images;

/// <summary>The two drivers that make an image: its format's and, below it, that of the protocol that the target's name is of.</summary>
internal static class CreationDrivers
{
    /// <summary>Finds the format; false where it, or the target's protocol, cannot make images, for which <paramref name="objection"/> are qemu-img's words.</summary>
    public static bool TryFind(
        CommandHost host, string formatName, string target, [NotNullWhen(true)] out ImageFormat? format, [NotNullWhen(false)] out string? objection)
    {
        // A file itself is made as the raw image that it is.
        format = FormatRegistry.Find(IsProtocol(formatName) ? "raw" : formatName);
        StorageProtocol? protocol = host.Locator.ProtocolOf(target);
        string? scheme = ImagePath.ProtocolOf(target);
        objection = (format, protocol) switch
        {
            (null, _) => $"Unknown file format '{formatName}'",
            _ when ObjectionToName(host, target) is { } unknown => unknown,
            ({ CanCreate: false }, _) => $"Format driver '{formatName}' does not support image creation",
            (_, { CanWrite: false }) => $"Protocol driver '{protocol.DriverOf(scheme!)}' does not support image creation",
            _ => null,
        };
        return objection is null;
    }

    /// <summary>A protocol's driver, which stands for a format where what it reaches is to be as it is.</summary>
    public static bool IsProtocol(string formatName) => formatName is "file" or "host_device" or "nbd";

    /// <summary>Refuses a name that is not of the protocol that stands for the format.</summary>
    /// <exception cref="ImageException">In QEMU's words.</exception>
    public static void CheckName(CommandHost host, string formatName, string target)
    {
        string? complaint = formatName switch
        {
            "nbd" when ImagePath.ProtocolOf(target) is not ("nbd" or "nbd+tcp" or "nbd+unix") => "File name string for NBD must start with 'nbd:'",
            "host_device" when !host.Locator.Exists(target) => $"Could not open '{target}': No such file or directory",
            "host_device" when !IsDevice(host, target) => $"'host_device' driver requires '{target}' to be either a character or block device",
            _ => null,
        };
        if (complaint is not null)
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, target, $"Protocol driver '{formatName}' does not support image creation, and opening the image failed: {complaint}");
        }
    }

    /// <summary>What is said of a target that was refused: QEMU makes its file before it looks at most options, so that a file which cannot be made goes first.</summary>
    public static ImageException FirstReason(CommandHost host, string formatName, string target, ImageException refusal)
    {
        bool isOfOptions = refusal.Kind is ImageErrorKind.InvalidArgument or ImageErrorKind.Unsupported or ImageErrorKind.Secret or ImageErrorKind.Limit;
        if (!isOfOptions || IsProtocol(formatName) || IsSaidBeforeFile(formatName, refusal.Message) || host.Locator.ProtocolOf(target) is not null)
        {
            return refusal;
        }

        try
        {
            if (host.Locator.Exists(target))
            {
                host.Locator.Open(target, OpenMode.ReadWrite with { Lock = ImageLock.None }).Dispose();
            }
            else
            {
                host.Locator.Create(target, 0, OpenMode.ReadWrite, mustBeNew: true).Dispose();
                host.Locator.Delete(target);
            }

            return refusal;
        }
        catch (ImageException e)
        {
            return new ImageException(e.Kind, e.File, e.Message.Replace("Could not open", "Could not create", StringComparison.Ordinal), e) { Hint = e.Hint, Errno = e.Errno };
        }
    }

    // What QEMU's drivers read before they make the file; vmdk's makes its files itself.
    private static bool IsSaidBeforeFile(string formatName, string message) =>
        message.StartsWith("invalid parameter value", StringComparison.Ordinal) || message.StartsWith("unrecognized backing format", StringComparison.Ordinal) || message.Contains("can't be used at the same time", StringComparison.Ordinal) || formatName switch
        {
            "vmdk" => !message.StartsWith("Unsupported preallocation mode", StringComparison.Ordinal),
            "luks" => message.Contains("does not accept value", StringComparison.Ordinal),
            _ => false,
        };

    /// <summary>The options of a format, or of a protocol's driver that stands for one, whatever the target.</summary>
    public static CreateOptionSet Options(ImageFormat format, string formatName) => formatName switch
    {
        "file" => CreateOptionSet.OfFormatAndFile(format),
        _ when IsProtocol(formatName) => CreateOptionSet.OfProtocol(withFile: false),
        _ => CreateOptionSet.OfFormat(format),
    };

    // The length of a device cannot be changed; what cannot even be opened is one that is no disk.
    private static bool IsDevice(CommandHost host, string target)
    {
        try
        {
            using IBlockFile file = host.Locator.Open(target, OpenMode.ReadWrite);
            return !file.CanResize;
        }
        catch (ImageException)
        {
            return true;
        }
    }

    /// <summary>What is wrong with a target's name, where nothing can be made under it; null for nothing.</summary>
    public static string? ObjectionToName(CommandHost host, string target) => ImagePath.ProtocolOf(target) switch
    {
        "blkdebug" or "blkverify" => $"Protocol driver '{ImagePath.ProtocolOf(target)}' does not support image creation",
        { } scheme when !host.Locator.Knows(target) => UnsupportedDrivers.RefusalOfScheme(scheme) ?? $"Unknown protocol '{scheme}'",
        _ => null,
    };

    /// <summary>The create options of the format and of what the target's name reaches.</summary>
    public static CreateOptionSet Options(CommandHost host, ImageFormat format, string formatName, string target)
    {
        bool isFile = host.Locator.ProtocolOf(target) is null;
        return IsProtocol(formatName) && formatName != "file" ? CreateOptionSet.OfProtocol(isFile)
            : isFile ? CreateOptionSet.OfFormatAndFile(format) : CreateOptionSet.OfFormatAndProtocol(format);
    }
}
