namespace ImageCluster.Imaging.Storage;

/// <summary>Names of images as QEMU takes them: a path, or a protocol's name, a colon and the rest. Pure text; no file system is asked.</summary>
public static class ImagePath
{
    /// <summary>True for <c>nbd:...</c>, <c>json:...</c>, <c>http://...</c> (and <c>file:...</c>): a colon comes before any slash.</summary>
    public static bool HasProtocol(string name)
    {
        int found = name.AsSpan().IndexOfAny(':', '/');
        return found >= 0 && name[found] == ':';
    }

    /// <summary>The protocol's name, or null for a path.</summary>
    public static string? ProtocolOf(string name) => HasProtocol(name) ? name[..name.IndexOf(':')] : null;

    public static bool IsAbsolute(string name) => name.StartsWith('/') || (OperatingSystem.IsWindows() && Path.IsPathFullyQualified(name));

    /// <summary>True where the name means something only beside another: neither an absolute path nor a protocol's.</summary>
    public static bool IsRelative(string name) => !IsAbsolute(name) && !HasProtocol(name);

    /// <summary>The path of a local file: without <c>file:</c> or <c>host_device:</c>; null for any other protocol.</summary>
    public static string? ToLocal(string name) => ProtocolOf(name) switch
    {
        null => name,
        "file" or "host_device" => name[(name.IndexOf(':') + 1)..],
        { Length: 1 } when OperatingSystem.IsWindows() => name,
        _ => null,
    };

    /// <summary>The name without <c>file:</c>, as a path that nobody takes for a protocol's; any other name as it is. QEMU names files so.</summary>
    public static string WithoutFile(string name) => ProtocolOf(name) == "file" ? AsPath(ToLocal(name)!) : name;

    // A path whose first part has a colon would be taken for a protocol's.
    private static string AsPath(string rest) => HasProtocol(rest) ? "./" + rest : rest;

    /// <summary>
    /// What <paramref name="reference"/> means in the metadata of <paramref name="referrer"/>: an absolute path or a protocol's name stays,
    /// anything else is relative to the referrer's directory (QEMU's path_combine).
    /// </summary>
    public static string Combine(string referrer, string reference)
    {
        if (!IsRelative(reference))
        {
            return reference;
        }

        if (referrer.Length == 0 || referrer.StartsWith("json:", StringComparison.Ordinal))
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, referrer, $"Cannot use relative backing file names for '{referrer}'");
        }

        if (ProtocolOf(referrer) == "file")
        {
            referrer = AsPath(ToLocal(referrer)!);
        }

        int start = HasProtocol(referrer) ? referrer.IndexOf(':') + 1 : 0;
        int directoryEnd = Math.Max(start, referrer.LastIndexOf('/') + 1);
        return string.Concat(referrer.AsSpan(0, directoryEnd), reference);
    }
}
