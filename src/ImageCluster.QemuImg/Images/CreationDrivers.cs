using System.Diagnostics.CodeAnalysis;
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
        format = FormatRegistry.Find(formatName == "file" ? "raw" : formatName);
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

    /// <summary>What is wrong with a target's name, where nothing can be made under it; null for nothing.</summary>
    public static string? ObjectionToName(CommandHost host, string target) => ImagePath.ProtocolOf(target) switch
    {
        "blkdebug" or "blkverify" => $"Protocol driver '{ImagePath.ProtocolOf(target)}' does not support image creation",
        { } scheme when !host.Locator.Knows(target) => UnsupportedDrivers.RefusalOfScheme(scheme) ?? $"Unknown protocol '{scheme}'",
        _ => null,
    };

    /// <summary>The create options of the format and of what the target's name reaches.</summary>
    public static CreateOptionSet Options(CommandHost host, ImageFormat format, string target) =>
        host.Locator.ProtocolOf(target) is null ? CreateOptionSet.OfFormatAndFile(format) : CreateOptionSet.OfFormatAndProtocol(format);
}
