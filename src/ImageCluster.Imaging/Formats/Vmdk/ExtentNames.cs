using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>Names of a new disk's extent files, as qemu-img makes them of the disk's own: <c>disk-flat.vmdk</c>, <c>disk-s001.vmdk</c>, <c>disk-f001.vmdk</c>.</summary>
internal sealed class ExtentNames
{
    private readonly string _directory;
    private readonly string _stem;
    private readonly string _suffix;

    /// <param name="fileName">The disk's name.</param>
    public ExtentNames(string fileName)
    {
        fileName = ImagePath.WithoutFile(fileName);
        int end = fileName.LastIndexOf('/');
        end = end >= 0 ? end : fileName.LastIndexOf('\\');
        end = end >= 0 ? end : fileName.LastIndexOf(':');
        _directory = fileName[..(end + 1)];
        string name = fileName[(end + 1)..];
        int dot = name.LastIndexOf('.');
        _stem = dot < 0 ? name : name[..dot];
        _suffix = dot < 0 ? "" : name[dot..];
    }

    /// <summary>To open the file by.</summary>
    public string PathOf(CreateSettings settings, int number) => _directory + NameOf(settings, number);

    /// <summary>For the descriptor's extent line, relative to the descriptor.</summary>
    /// <param name="settings">Decide the naming.</param>
    /// <param name="number">From 0.</param>
    public string NameOf(CreateSettings settings, int number) => settings switch
    {
        { Embedded: true } => _stem + _suffix,
        { Split: true } => $"{_stem}-{(settings.Flat ? 'f' : 's')}{number + 1:D3}{_suffix}",
        _ => $"{_stem}-flat{_suffix}",
    };
}
