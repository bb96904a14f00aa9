using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats;

/// <summary>What a format gets to open a file with.</summary>
public sealed record OpenContext
{
    public required IBlockFile File { get; init; }

    /// <summary>The disks beside <see cref="File"/>, of a driver that stands over several; who opens the image owns them.</summary>
    public IReadOnlyList<IBlockFile> Others { get; init; } = [];

    /// <summary>Opens what is to hold the payload, instead of the file that the header names; null for that file. Who opens the image owns it.</summary>
    public Func<IBlockFile>? OpenData { get; init; }

    /// <summary>The image's name, as given; what <see cref="IFileLocator.Combine"/> resolves references against.</summary>
    public required string FileName { get; init; }

    /// <summary>Opens the image's other parts (extent files, data file); already confined by the chain policy.</summary>
    public required IFileLocator Locator { get; init; }

    public bool Write => Mode.Write;

    public OpenMode Mode { get; init; } = OpenMode.ReadOnly;

    /// <summary>
    /// Where not null, a shard is to be merged into the image, beside other processes that merge others (<see cref="Capabilities.IMergeShard"/>): what is written
    /// takes this room, and nothing that the file says of itself changes. A format that cannot do that ignores it.
    /// </summary>
    public Filling.IRoom? Room { get; init; }

    /// <summary>The format was not stated, but told by the file's first bytes.</summary>
    public bool IsProbed { get; init; }

    /// <summary>For <c>info</c>: metadata only, so a missing password or data file is no reason to fail.</summary>
    public bool DescribeOnly { get; init; }

    /// <summary>For check: open in spite of the corrupt bit, of dirty refcounts and of what a check would repair.</summary>
    public bool ForCheck { get; init; }

    /// <summary>The secret (password) for an encrypted image by QEMU's option name, e.g. <c>encrypt.key-secret</c>; null where none was given.</summary>
    public Func<string, byte[]?> Secret { get; init; } = static _ => null;

    /// <summary>Driver options of <c>--image-opts</c>, without the prefix of the node.</summary>
    public IReadOnlyDictionary<string, string> Options { get; init; } = new Dictionary<string, string>();

    /// <summary>Told what the user should know of an image that is opened all the same: a line, and what to do about it.</summary>
    public Action<string, string> Warn { get; init; } = static (_, _) => { };
}
