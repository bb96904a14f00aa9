using ImageCluster.Imaging.Storage.Nbd;

namespace ImageCluster.Imaging.Storage.Protocols;

/// <summary>What protocols get from the program around them: credentials above all, which never stand in a name.</summary>
public sealed record ProtocolSettings
{
    public static readonly ProtocolSettings Default = new();

    /// <summary>A secret by its id (<c>--object secret,id=...</c>); null where there is none of that id.</summary>
    public Func<string, byte[]?> Secret { get; init; } = static _ => null;

    /// <summary>The NBD client's.</summary>
    public NbdSettings Nbd { get; init; } = NbdSettings.Default;
}
