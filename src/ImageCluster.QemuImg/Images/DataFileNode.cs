using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Storage;
using ImageCluster.QemuImg.CommandLine;

namespace ImageCluster.QemuImg.Images;

/// <summary>What the options say of an external data file: a file's name, or a whole node. What is wrong with it is found when the image asks for it.</summary>
internal sealed class DataFileNode
{
    private readonly BlockOptions _given;

    private DataFileNode(BlockOptions given) => _given = given;

    /// <summary>The name of a file of this machine that is used as it stands, for the locator; null for any other node.</summary>
    public string? PlainName => _given.Text("driver") switch
    {
        null or "file" when _given.Names.All(static name => name is "driver" or "filename") => Name("filename"),
        "raw" when _given.Text("file.driver") is null or "file" && _given.Names.All(static name => name is "driver" or "file.driver" or "file.filename") => Name("file.filename"),
        _ => null,
    };

    /// <summary>Null where they say nothing.</summary>
    public static DataFileNode? Of(BlockOptions given) => given.IsEmpty ? null : new DataFileNode(given);

    /// <summary>For the engine.</summary>
    /// <exception cref="ImageException">In QEMU's words.</exception>
    public ImageSource ToSource(CommandHost host)
    {
        bool isFile = _given.Text("driver") is null;
        if (isFile && !_given.Has("filename"))
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, null, "Must specify either driver or file");
        }

        BlockNode node = BlockNode.Parse(isFile ? new Dictionary<string, object?>(_given.All) { ["driver"] = "file" } : _given.All, null);
        return node.FirstComplaint is null && node.FileComplaint is null
            ? node.ToDisk(host)
            : throw (node.FirstComplaint ?? node.FileComplaint)!;
    }

    // A name that is an option is taken as it is, colons and all.
    private string? Name(string option) => _given.Text(option) is { Length: > 0 } name ? ImagePath.HasProtocol(name) ? $"file:{name}" : name : null;
}
