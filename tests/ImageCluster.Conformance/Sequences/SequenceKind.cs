using static ImageCluster.Conformance.Sequences.SequenceStep;

namespace ImageCluster.Conformance.Sequences;

/// <summary>A kind of sequence: what the image is, what it stands on, and what is done to it.</summary>
/// <param name="Name">For the reader; the seed comes of it too.</param>
/// <param name="Format">The image's format.</param>
/// <param name="Options">What the image is created with.</param>
internal sealed record SequenceKind(string Name, string Format, string Options)
{
    private static readonly SequenceStep[] Usual = [Write, Write, Copy, Zero, Snapshot, Apply, Delete, Resize, Resize, Amend, Commit, Rebase, Repair, Overwrite];

    /// <summary>The images that can be its backing file; it begins on the first.</summary>
    public (string Name, string Format, string Options)[] Bases { get; init; } = [("one.qcow2", "qcow2", "cluster_size=64k"), ("two.qcow2", "qcow2", "cluster_size=8k")];

    /// <summary>The second of its backing files stands on the first.</summary>
    public bool IsChain { get; init; }

    /// <summary>False where the image begins without a backing file.</summary>
    public bool HasBase { get; init; } = true;

    /// <summary>What is drawn from.</summary>
    public SequenceStep[] Steps { get; init; } = Usual;

    /// <summary>What amendments are drawn from.</summary>
    public string[] Amendments { get; init; } = ["compat=0.10", "compat=1.1", "refcount_bits=64", "refcount_bits=16", "refcount_bits=32,compat=v3", "compat=1.1,lazy_refcounts=on", "lazy_refcounts=off"];

    /// <summary>The least that the guest's disk is cut to is a multiple of this many bytes.</summary>
    public int ResizeUnit { get; init; } = 64 << 10;

    /// <summary>False where what is copied into the image has no run of zeros, which become zeros of the format's own kind.</summary>
    public bool CopiesZeroes { get; init; } = true;

    /// <summary>The file that holds the guest's bytes as they are, if there is one.</summary>
    public string? RawFile { get; init; }

    public bool HasBitmaps => Steps.Contains(Bitmap);

    /// <summary>All kinds, those that CI runs.</summary>
    public static IReadOnlyList<SequenceKind> All { get; } =
    [
        Qcow2("64k", "cluster_size=64k"),
        Qcow2("4k", "cluster_size=4k"),
        Qcow2("lazy", "cluster_size=512,lazy_refcounts=on"),
        Qcow2("extended", "cluster_size=16k,extended_l2=on"),
        Qcow2("zstd", "cluster_size=2k,refcount_bits=64,compression_type=zstd"),
        WithBitmaps("64k", "cluster_size=64k"),
        WithBitmaps("lazy", "cluster_size=1k,lazy_refcounts=on"),
        WithBitmaps("extended", "cluster_size=32k,extended_l2=on"),
        WithBitmaps("8 bits", "cluster_size=8k,refcount_bits=8"),
        Qcow2("compressed", "cluster_size=4k") with { Steps = [.. Usual, Compress, Compress, Compress, Compress, Discard] },
        Qcow2("compressed zstd", "cluster_size=64k,compression_type=zstd,lazy_refcounts=on") with { Steps = [.. Usual, Compress, Compress, Compress, Compress, Discard] },
        Qcow2("compressed extended", "cluster_size=32k,extended_l2=on") with { Steps = [.. Usual, Compress, Compress, Compress, Compress, Discard] },
        DataFile("", "cluster_size=16k"),
        DataFile("extended", "cluster_size=32k,extended_l2=on,lazy_refcounts=on"),
        DataFile("raw", "cluster_size=64k,data_file_raw=on") with { HasBase = false, RawFile = "top.data" },
        Qcow2("on data files", "cluster_size=8k") with { Bases = [("one.qcow2", "qcow2", "data_file=one.data,data_file_raw=on"), ("two.qcow2", "qcow2", "data_file=two.data,cluster_size=4k")] },
        Encrypted("luks", "encrypt.format=luks,encrypt.iter-time=10,cluster_size=16k") with { Steps = [.. Usual, Keys, Keys, Keys] },

        Encrypted("aes", "encrypt.format=aes,cluster_size=4k"),
        Encrypted("luks on luks", "encrypt.format=luks,encrypt.iter-time=10,cluster_size=64k,extended_l2=on") with
        {
            Bases = [("one.qcow2", "qcow2", "encrypt.format=luks,encrypt.iter-time=10"), ("two.luks", "luks", "iter-time=10"), ("three.qcow2", "qcow2", "encrypt.format=aes")],
        },
        Qcow2("on vmdk", "cluster_size=16k") with { Bases = [("one.vmdk", "vmdk", ""), ("two.vmdk", "vmdk", "subformat=twoGbMaxExtentFlat"), ("three.vmdk", "vmdk", "subformat=streamOptimized")] },
        Qcow2("on raw", "cluster_size=4k,lazy_refcounts=on") with { Bases = [("one.raw", "raw", ""), ("two.raw", "raw", "")] },
        Qcow2("chain", "cluster_size=8k") with { IsChain = true, Steps = [.. Usual, Commit, Commit, Rebase, Rebase] },
        Qcow2("chain of formats", "cluster_size=64k,extended_l2=on") with { IsChain = true, Bases = [("one.raw", "raw", ""), ("two.qed", "qed", "cluster_size=8k")], Steps = [.. Usual, Commit, Commit, Rebase] },
        Vmdk("sparse", "") with { HasBase = true },
        Vmdk("zeroed grains", "zeroed_grain=on") with { HasBase = true },
        Vmdk("split", "subformat=twoGbMaxExtentSparse") with { HasBase = true },
        Vmdk("stream", "subformat=streamOptimized") with { Steps = [Write, Write, Compress, Compress, Compress, Zero, Resize, Snapshot, Amend, Rebase] },
        Vmdk("flat", "subformat=monolithicFlat"),
        Vmdk("split flat", "subformat=twoGbMaxExtentFlat"),
        Alone("raw", ""),
        Alone("luks", "iter-time=10") with { Steps = [Write, Copy, Copy, Zero, Resize, Keys, Keys, Keys, Amend, Snapshot] },
        Alone("qcow", ""),
        Alone("vdi", ""),
        Alone("vpc", "force_size=on"),
        Alone("vhdx", "block_size=1M"),
        Alone("parallels", "cluster_size=64k"),

        // In a zero cluster that is written in part, qemu-img lets the backing file's data come back: no zeros are written.
        Alone("qed", "cluster_size=4k") with { HasBase = true, Bases = [("one.qed", "qed", ""), ("two.raw", "raw", "")], CopiesZeroes = false, Steps = [Write, Write, Copy, Resize, Commit, Rebase] },
    ];

    private static SequenceKind Qcow2(string name, string options) => new($"qcow2 {name}", "qcow2", options);

    private static SequenceKind WithBitmaps(string name, string options) => new($"qcow2 with bitmaps {name}", "qcow2", options)
    {
        // In version 2 bitmaps are lost, as leaks where qemu-img does it.
        Steps = [.. Usual, Bitmap, Bitmap, Bitmap, Bitmap, Bitmap, Bitmap],
        Amendments = ["compat=1.1", "refcount_bits=64", "refcount_bits=16", "refcount_bits=32,compat=v3", "compat=1.1,lazy_refcounts=on", "lazy_refcounts=off"],
    };

    private static SequenceKind DataFile(string name, string options) => new($"qcow2 with data file {name}".TrimEnd(), "qcow2", $"data_file=top.data,{options}")
    {
        Steps = [Write, Write, Copy, Zero, Zero, Discard, Snapshot, Compress, Resize, Resize, Amend, Commit, Rebase, Repair, Overwrite],
        Amendments = ["compat=0.10", "refcount_bits=64", "lazy_refcounts=on", "lazy_refcounts=off", "data_file_raw=on", "data_file_raw=off", "data_file=top.data", "size=1M"],
    };

    private static SequenceKind Encrypted(string name, string options) => new($"qcow2 {name}", "qcow2", options) { Steps = [.. Usual, Copy, Copy, Zero] };

    private static SequenceKind Vmdk(string name, string options) => new($"vmdk {name}", "vmdk", options)
    {
        HasBase = false,
        Bases = [("one.vmdk", "vmdk", ""), ("two.vmdk", "vmdk", "subformat=twoGbMaxExtentSparse")],
        Steps = [Write, Write, Write, Copy, Copy, Zero, Zero, Discard, Commit, Resize, Snapshot, Amend, Rebase, Overwrite],
        Amendments = ["compat6=on", "size=2M"],
    };

    private static SequenceKind Alone(string format, string options) => new(format, format, options)
    {
        HasBase = false,
        Bases = [],
        Steps = [Write, Write, Copy, Copy, Zero, Discard, Resize, Resize, Snapshot, Amend, Overwrite],
        Amendments = ["size=2M"],
    };
}
