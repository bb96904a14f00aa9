namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>The options of <c>create -o</c> in the order and words of qemu-img 7.2's help, those of the file below included.</summary>
internal static class Qcow2CreateOptions
{
    public static IReadOnlyList<CreateOption> All { get; } =
    [
        new("backing_file", CreateOptionType.Text, "File name of a base image"),
        new("backing_fmt", CreateOptionType.Text, "Image format of the base image"),
        new("cluster_size", CreateOptionType.Size, "qcow2 cluster size"),
        new("compat", CreateOptionType.Text, "Compatibility level (v2 [0.10] or v3 [1.1])"),
        new("compression_type", CreateOptionType.Text, "Compression method used for image cluster compression"),
        new("data_file", CreateOptionType.Text, "File name of an external data file"),
        new("data_file_raw", CreateOptionType.Flag, "The external data file must stay valid as a raw image"),
        new("encrypt.cipher-alg", CreateOptionType.Text, "Name of encryption cipher algorithm"),
        new("encrypt.cipher-mode", CreateOptionType.Text, "Name of encryption cipher mode"),
        new("encrypt.format", CreateOptionType.Text, "Encrypt the image, format choices: 'aes', 'luks'"),
        new("encrypt.hash-alg", CreateOptionType.Text, "Name of encryption hash algorithm"),
        new("encrypt.iter-time", CreateOptionType.Number, "Time to spend in PBKDF in milliseconds"),
        new("encrypt.ivgen-alg", CreateOptionType.Text, "Name of IV generator algorithm"),
        new("encrypt.ivgen-hash-alg", CreateOptionType.Text, "Name of IV generator hash algorithm"),
        new("encrypt.key-secret", CreateOptionType.Text, "ID of secret providing qcow AES key or LUKS passphrase"),
        new("encryption", CreateOptionType.Flag, "Encrypt the image with format 'aes'. (Deprecated in favor of encrypt.format=aes)"),
        new("extended_l2", CreateOptionType.Flag, "Extended L2 tables"),
        new("extent_size_hint", CreateOptionType.Size, "Extent size hint for the image file, 0 to disable"),
        new("lazy_refcounts", CreateOptionType.Flag, "Postpone refcount updates"),
        new("nocow", CreateOptionType.Flag, "Turn off copy-on-write (valid only on btrfs)"),
        new("preallocation", CreateOptionType.Text, "Preallocation mode (allowed values: off, metadata, falloc, full)"),
        new("refcount_bits", CreateOptionType.Number, "Width of a reference count entry in bits"),
        new("size", CreateOptionType.Size, "Virtual disk size"),
    ];
}
