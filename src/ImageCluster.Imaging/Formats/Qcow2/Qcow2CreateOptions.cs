namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>The options of <c>create -o</c> and <c>amend -o</c> in the order and words of qemu-img 7.2.</summary>
internal static class Qcow2CreateOptions
{
    private static readonly CreateOption Size = new("size", CreateOptionType.Size, "Virtual disk size");
    private static readonly CreateOption Compat = new("compat", CreateOptionType.Text, "Compatibility level (v2 [0.10] or v3 [1.1])");
    private static readonly CreateOption BackingFile = new("backing_file", CreateOptionType.Text, "File name of a base image");
    private static readonly CreateOption BackingFormat = new("backing_fmt", CreateOptionType.Text, "Image format of the base image");
    private static readonly CreateOption DataFile = new("data_file", CreateOptionType.Text, "File name of an external data file");
    private static readonly CreateOption DataFileRaw = new("data_file_raw", CreateOptionType.Flag, "The external data file must stay valid as a raw image");
    private static readonly CreateOption LazyRefcounts = new("lazy_refcounts", CreateOptionType.Flag, "Postpone refcount updates", "off");
    private static readonly CreateOption RefcountBits = new("refcount_bits", CreateOptionType.Number, "Width of a reference count entry in bits", "16");
    private static readonly CreateOption IterTime = new("encrypt.iter-time", CreateOptionType.Number, "Time to spend in PBKDF in milliseconds");

    public static IReadOnlyList<CreateOption> All { get; } =
    [
        new("encryption", CreateOptionType.Flag, "Encrypt the image with format 'aes'. (Deprecated in favor of encrypt.format=aes)"),
        new("encrypt.format", CreateOptionType.Text, "Encrypt the image, format choices: 'aes', 'luks'"),
        new("encrypt.key-secret", CreateOptionType.Text, "ID of secret providing qcow AES key or LUKS passphrase"),
        new("encrypt.cipher-alg", CreateOptionType.Text, "Name of encryption cipher algorithm"),
        new("encrypt.cipher-mode", CreateOptionType.Text, "Name of encryption cipher mode"),
        new("encrypt.ivgen-alg", CreateOptionType.Text, "Name of IV generator algorithm"),
        new("encrypt.ivgen-hash-alg", CreateOptionType.Text, "Name of IV generator hash algorithm"),
        new("encrypt.hash-alg", CreateOptionType.Text, "Name of encryption hash algorithm"),
        IterTime,
        new("cluster_size", CreateOptionType.Size, "qcow2 cluster size", "65536"),
        new("extended_l2", CreateOptionType.Flag, "Extended L2 tables", "off"),
        new("preallocation", CreateOptionType.Text, "Preallocation mode (allowed values: off, metadata, falloc, full)"),
        new("compression_type", CreateOptionType.Text, "Compression method used for image cluster compression", "zlib"),
        Size,
        Compat,
        BackingFile,
        BackingFormat,
        DataFile,
        DataFileRaw,
        LazyRefcounts,
        RefcountBits,
    ];

    public static IReadOnlyList<CreateOption> Amendable { get; } =
    [
        new("encrypt.state", CreateOptionType.Text, "Select new state of affected keyslots (active/inactive)"),
        new("encrypt.keyslot", CreateOptionType.Number, "Select a single keyslot to modify explicitly"),
        new("encrypt.old-secret", CreateOptionType.Text, "Select all keyslots that match this password"),
        new("encrypt.new-secret", CreateOptionType.Text, "New secret to set in the matching keyslots. Empty string to erase"),
        IterTime,
        Size,
        Compat,
        BackingFile,
        BackingFormat,
        DataFile,
        DataFileRaw,
        LazyRefcounts,
        RefcountBits,
    ];
}
