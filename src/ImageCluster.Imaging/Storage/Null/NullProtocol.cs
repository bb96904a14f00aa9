using System.Globalization;
using ImageCluster.Imaging.Storage.Protocols;

namespace ImageCluster.Imaging.Storage.Null;

/// <summary>
/// QEMU's null drivers: a disk of nothing, to time or to try what reads and writes disks. <c>null-co://</c> and <c>null-aio://</c> are of 1 GiB;
/// options (qemu(1), block drivers: <c>size</c>, <c>read-zeroes</c>, <c>latency-ns</c>, which is taken and not waited for) make others.
/// </summary>
public sealed class NullProtocol : StorageProtocol
{
    private const long UsualSize = 1L << 30;

    public override IReadOnlyList<string> Schemes => ["null-co", "null-aio"];

    public override bool CanWrite => false;

    public override bool TellsSize => true;

    public override bool TakesFileName => false;

    public override IReadOnlyList<string> OptionNames => ["size", "read-zeroes", "latency-ns"];

    public override string DisplayName(string name) => name.Split('?')[0];

    public override IBlockFile Open(string name, OpenMode mode, IFileLocator files)
    {
        int start = name.IndexOf(':') + 1;
        string[] parts = name[start..].Split('?');
        if (parts[0] != "//")
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, name, $"The only allowed filename for this driver is '{name[..start]}//'");
        }

        long size = UsualSize;
        bool readsZeroes = false;
        if (parts.Length > 1)
        {
            string[] values = parts[1].Split('&');
            size = long.Parse(values[0], CultureInfo.InvariantCulture);
            readsZeroes = values[1] == "1";
        }

        return new NullFile(parts[0] == name[start..] ? name : name[..(start + 2)], size, readsZeroes, mode.Write);
    }

    public override IBlockFile Create(string name, long length, OpenMode mode, bool mustBeNew, IFileLocator files) =>
        throw new ImageException(ImageErrorKind.Unsupported, name, $"Protocol driver '{ImagePath.ProtocolOf(name)}' does not support image creation");

    public override string NameOf(string driver, IReadOnlyDictionary<string, string> options)
    {
        long size = UsualSize;
        if (options.TryGetValue("size", out string? text) && !ByteSize.TryParse(text, out size))
        {
            throw Invalid("Parameter 'size' expects a non-negative number below 2^64");
        }

        if (options.TryGetValue("latency-ns", out string? latency) && (!long.TryParse(latency, CultureInfo.InvariantCulture, out long wait) || wait < 0))
        {
            throw Invalid("latency-ns is invalid");
        }

        string zeroes = options.GetValueOrDefault("read-zeroes", "off");
        return zeroes switch
        {
            "on" or "yes" or "true" or "y" => string.Create(CultureInfo.InvariantCulture, $"{driver}://?{size}&1"),
            "off" or "no" or "false" or "n" => string.Create(CultureInfo.InvariantCulture, $"{driver}://?{size}&0"),
            _ => throw Invalid("Parameter 'read-zeroes' expects 'on' or 'off'"),
        };
    }

    private static ImageException Invalid(string message) => new(ImageErrorKind.InvalidArgument, null, message);
}
