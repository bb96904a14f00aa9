namespace ImageCluster.Conformance.Walk;

/// <summary>
/// Draws what the words of <see cref="WalkGrammar"/> stand for: values that are right, at their limits, and wrong. A walk is about one format
/// mostly; <c>{f}</c> is its name.
/// </summary>
internal sealed class WalkWords(Random random)
{
    private static readonly string[] Formats = ["raw", "raw", "qcow2", "qcow2", "qcow2", "qcow2", "qcow2", "vmdk", "vmdk", "vmdk", "vdi", "vpc", "vhdx", "qed", "qcow", "parallels", "luks", "bochs", "cloop", "dmg"];

    private static readonly Dictionary<string, string[]> Plain = new()
    {
        ["cache"] = ["none", "writeback", "writethrough", "directsync", "unsafe", "foo"],
        ["aio"] = ["threads", "native", "io_uring", "foo"],
        ["output"] = ["human", "json", "json", "json", "foo", "''"],
        ["repair"] = ["leaks", "all", "all", "foo"],
        ["object"] = ["--object secret,id=s,data=abc", "--object secret,id=s,data=abc", "--object secret,id=s,data=abc", "--object secret,id=t,data=wrong", "--object foo,id=x", "--object secret", "--object secret,id=0,data=x", "--object secret,id=s,file=nix", "--object secret,id=s,format=base64,data=YWJj", "--object secret,id=s,format=foo,data=x", "--object throttle-group,id=tg", "--object throttle-group,id=tg,x-bps-total=x", "--object iothread,id=i"],
        ["smallnumber"] = ["1", "2", "7", "0", "-1", "x", "99999999999"],
        ["number"] = ["0", "1", "255", "256", "-1", "x", "0x10", "1.5"],
        ["count"] = ["1", "3", "20", "5", "0", "x", "-1"],
        ["buffer"] = ["512", "1k", "4k", "64k", "1000", "0", "-1", "x", "4G"],
        ["offset"] = ["0", "1", "512", "64k", "300k", "1M", "2M", "1023k", "-1", "x", "9E", "1.5k", "''"],
        ["granularity"] = ["512", "4k", "64k", "1M", "2G", "0", "3", "100", "x", "-1"],
        ["bitmap"] = ["b0", "b1", "new", "new", "nix", "''", "other"],
        ["bitmapaction"] = ["--add", "--add", "--remove", "--clear", "--enable", "--disable", "--merge b0", "--merge b1", "--merge nix", "--merge new"],
        ["rate"] = ["1G", "100M", "0", "x", "-1"],
        ["sparse"] = ["0", "512", "4k", "64k", "1M", "100", "x", "17M", "-1"],
        ["coroutines"] = ["1", "2", "8", "16", "17", "0", "x"],
        ["snapshot"] = ["one", "two", "2", "1", "nix", "snapshot.name=one", "snapshot.id=1", "snapshot.id=1,snapshot.name=one", "snapshot.id=2,snapshot.name=one", "snapshot.foo=1", "''"],
        ["name"] = ["one", "two", "2", "1", "3", "new", "''", "ünï", "a-name-that-is-rather-long-for-the-column-of-tags"],
        ["preallocation"] = ["off", "metadata", "falloc", "full", "foo", "''"],
        ["size"] = ["1M", "1048576", "0", "512", "1000", "3M", "1.5M", "70000", "x", "-1", "1MM", "''", "0x100000", "1k", "1b", "1K", "+1M", "1e6", " 1M"],
        ["hugesize"] = ["1G", "1T", "3T", "63T", "65T", "1P", "7E", "8E", "16E", "9223372036854775807", "9223372036854775296", "18446744073709551615", "99999999999999999999"],
        ["newsize"] = ["1M", "2M", "+1M", "+512", "-512", "-1", "+0", "0", "1000", "+1000", "-2M", "3000000", "x", "+x", "''", "+", "-", "1.5M", "+-1M", "++1", "500k", "63T", "7E", "+8E", "9E"],
        ["ddopts"] = ["bs=512", "bs=4k", "bs=64k count=3", "bs=64k skip=2", "bs=100k count=3 skip=1", "count=5", "skip=1", "skip=100000", "count=0", "bs=0", "bs=x", "count=x", "foo=1", "bs=1000", "bs=3G", "x", "iflag=foo", "bs=1M bs=4k", "count=-1", "''", "bs=64k count=100 skip=20"],
        ["aio2"] = ["threads"],
    };

    private static readonly string[] CreateAny = ["help", "?", "foo=1", "foo", "''", ",", "size=1M", "size=x", "size=2M,", "preallocation=off", "preallocation=full", "preallocation=falloc", "preallocation=metadata", "preallocation=foo", "nocow=on", "nocow=foo", "extent_size_hint=1M", "extent_size_hint=x",
        "backing_file=a.raw", "backing_file=a.raw,backing_fmt=raw", "backing_fmt=raw", "backing_file=", "encryption=off", "cluster_size=64k", "=", "=1", "a=b=c"];

    private static readonly Dictionary<string, string[]> Create = new()
    {
        ["qcow2"] =
        [
            "cluster_size=512", "cluster_size=4k", "cluster_size=2M", "cluster_size=4M", "cluster_size=1000", "cluster_size=0", "compat=0.10", "compat=v2", "compat=1.1", "compat=v3", "compat=foo", "compat=", "lazy_refcounts=on", "lazy_refcounts=foo", "lazy_refcounts", "nolazy_refcounts",
            "refcount_bits=1", "refcount_bits=64", "refcount_bits=3", "refcount_bits=x", "refcount_bits=128", "compression_type=zlib", "compression_type=zstd", "compression_type=foo", "extended_l2=on", "extended_l2=on,cluster_size=128k", "extended_l2=on,cluster_size=8k", "data_file=out.data",
            "data_file=out.data,data_file_raw=on", "data_file_raw=on", "preallocation=metadata", "preallocation=metadata,extended_l2=on", "preallocation=falloc", "preallocation=full", "compat=0.10,lazy_refcounts=on", "compat=0.10,refcount_bits=8", "compat=0.10,compression_type=zstd",
            "compat=0.10,extended_l2=on", "compat=0.10,data_file=out.data", "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10", "encrypt.format=luks", "encrypt.format=foo", "encrypt.format=aes,encrypt.key-secret=s", "encrypt.key-secret=s", "encryption=on",
            "encryption=on,encrypt.key-secret=s", "encrypt.format=aes,encryption=on", "encrypt.format=luks,encrypt.key-secret=nix", "encrypt.cipher-alg=aes-256", "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10,encrypt.cipher-mode=cbc,encrypt.ivgen-alg=essiv,encrypt.ivgen-hash-alg=sha1", "encrypt.format=luks,encrypt.key-secret=s,encrypt.hash-alg=foo", "encrypt.format=aes,encrypt.key-secret=s,encrypt.hash-alg=sha1", "backing_file=a.qcow2,backing_fmt=qcow2", "data_file=a.raw", "data_file=",
        ],
        ["vmdk"] =
        [
            "subformat=monolithicSparse", "subformat=monolithicFlat", "subformat=twoGbMaxExtentSparse", "subformat=twoGbMaxExtentFlat", "subformat=streamOptimized", "subformat=foo", "subformat=", "adapter_type=ide", "adapter_type=lsilogic", "adapter_type=buslogic", "adapter_type=legacyESX",
            "adapter_type=foo", "compat6=on", "compat6=foo", "hwversion=7", "hwversion=x", "compat6=on,hwversion=4", "toolsversion=99", "zeroed_grain=on", "zeroed_grain=on,subformat=streamOptimized", "subformat=monolithicFlat,zeroed_grain=on", "backing_file=a.vmdk", "backing_file=a.vmdk,backing_fmt=vmdk",
            "backing_file=a.vmdk,backing_fmt=raw", "backing_file=a.raw,backing_fmt=vmdk", "subformat=monolithicFlat,backing_file=a.vmdk,backing_fmt=vmdk", "scsi=on",
        ],
        ["vdi"] = ["static=on", "static=off", "static=foo", "static", "preallocation=metadata"],
        ["vpc"] = ["subformat=dynamic", "subformat=fixed", "subformat=foo", "force_size=on", "force_size=foo", "subformat=fixed,force_size=on"],
        ["vhdx"] = ["subformat=dynamic", "subformat=fixed", "subformat=foo", "block_size=1M", "block_size=0", "block_size=3M", "block_size=256M", "block_size=512M", "block_size=x", "log_size=1M", "log_size=3M", "log_size=1000", "log_size=0", "block_state_zero=on", "block_state_zero=off", "block_state_zero=x"],
        ["qed"] = ["cluster_size=4k", "cluster_size=64M", "cluster_size=1000", "cluster_size=2k", "table_size=1", "table_size=16", "table_size=3", "table_size=32", "table_size=x", "backing_file=a.raw", "backing_file=a.raw,backing_fmt=raw", "backing_file=a.qed,backing_fmt=qed"],
        ["qcow"] = ["encryption=on", "encryption=foo", "encrypt.format=aes,encrypt.key-secret=s", "encrypt.format=aes", "encrypt.format=luks", "encrypt.key-secret=s", "backing_file=a.raw,backing_fmt=raw", "backing_file=a.raw", "backing_fmt=raw"],
        ["parallels"] = ["cluster_size=1M", "cluster_size=64k", "cluster_size=512", "cluster_size=1000", "cluster_size=0", "cluster_size=2G", "cluster_size=x"],
        ["luks"] = ["key-secret=s,iter-time=10", "key-secret=s,iter-time=10", "key-secret=nix", "key-secret=s,iter-time=10,cipher-alg=aes-128", "key-secret=s,iter-time=10,cipher-alg=foo", "key-secret=s,iter-time=10,hash-alg=sha512", "key-secret=s,iter-time=10,ivgen-alg=plain", "key-secret=s,iter-time=0", "iter-time=x", "key-secret=s,iter-time=10,cipher-mode=cbc,ivgen-alg=essiv,ivgen-hash-alg=sha256", "key-secret=s,iter-time=10,cipher-mode=foo", "key-secret=s,iter-time=10,ivgen-alg=essiv", "key-secret=s,iter-time=10,ivgen-hash-alg=foo", "key-secret=s,iter-time=10,hash-alg=foo"],
    };

    private static readonly string[] Amend =
    [
        "help", "compat=0.10", "compat=1.1", "compat=foo", "lazy_refcounts=on", "lazy_refcounts=off", "refcount_bits=1", "refcount_bits=8", "refcount_bits=64", "refcount_bits=3", "size=2M", "size=500k", "size=x", "size=0", "backing_file=b.raw", "backing_file=a.qcow2", "backing_file=", "backing_fmt=raw",
        "backing_file=a.raw,backing_fmt=raw", "cluster_size=4k", "data_file=d.data", "data_file=b.raw", "data_file=", "data_file_raw=on", "data_file_raw=off", "encrypt.format=luks", "encryption=on", "preallocation=full", "foo=1", "foo", "''", ",", "compat=0.10,size=2M", "compat=1.1,refcount_bits=8", "extended_l2=on",
        "compression_type=zstd", "encrypt.state=inactive,encrypt.keyslot=0", "state=inactive,keyslot=0", "encrypt.state=active,encrypt.new-secret=s,encrypt.iter-time=10", "encrypt.state=active,encrypt.keyslot=9", "encrypt.state=inactive,encrypt.old-secret=nix", "state=active,new-secret=s,iter-time=10,keyslot=1", "state=inactive,old-secret=s", "state=active,new-secret=s,old-secret=t,iter-time=10", "compat=0.10,lazy_refcounts=off", "lazy_refcounts", "size=1M,backing_file=b.raw",
    ];

    private static readonly string[] NodeOptions =
    [
        "read-only=on", "read-only=off", "read-only=foo", "force-share=on", "cache.direct=on", "cache.no-flush=on", "cache.writeback=off", "cache.direct=foo", "discard=unmap", "discard=ignore", "discard=foo", "detect-zeroes=on", "detect-zeroes=unmap", "detect-zeroes=unmap,discard=unmap", "detect-zeroes=foo", "node-name=n",
        "node-name=0", "auto-read-only=on", "lazy-refcounts=on", "lazy-refcounts=x", "overlap-check=all", "overlap-check=none", "overlap-check=constant", "overlap-check=cached", "overlap-check=x", "overlap-check.template=all", "overlap-check.main-header=off", "overlap-check.foo=off", "overlap-check=all,overlap-check.template=all",
        "l2-cache-size=1M", "l2-cache-size=0", "l2-cache-size=x", "l2-cache-entry-size=4k", "l2-cache-entry-size=100", "l2-cache-entry-size=1M", "refcount-cache-size=1M", "cache-size=1M", "cache-size=1k", "cache-size=1M,l2-cache-size=2M", "cache-size=1M,l2-cache-size=1M,refcount-cache-size=1M", "cache-clean-interval=5",
        "cache-clean-interval=x", "pass-discard-request=on", "pass-discard-snapshot=off", "pass-discard-other=x", "offset=0", "offset=64k", "offset=100", "offset=2M", "size=512k", "size=1M", "size=100", "size=8E", "offset=512k,size=512k", "foo=1", "file.foo=1", "file.locking=off", "file.locking=on", "file.locking=auto", "file.locking=x",
        "file.aio=threads", "file.aio=native", "file.aio=io_uring", "file.drop-cache=off", "file.x-check-cache-dropped=on", "file.node-name=f", "file.read-only=on", "file.cache.direct=on", "file.discard=unmap", "file.aio-max-batch=3", "file.pr-manager=x", "file.driver=file", "file.driver=host_device", "file.driver=raw", "file.driver=foo",
        "backing=", "backing.driver=raw", "backing.file.filename=a.raw", "backing.driver=qcow2,backing.file.filename=a.qcow2", "backing.foo=1", "key-secret=s", "key-secret=nix", "encrypt.key-secret=s", "encrypt.format=luks,encrypt.key-secret=s", "encrypt.format=aes", "data-file.driver=file,data-file.filename=b.raw",
        "driver=raw", "driver=foo", "driver=file", "force_size_calc=chs", "force_size_calc=current_size", "force_size_calc=foo", "prealloc-size=1M", "prealloc-mode=falloc", "prealloc-mode=foo", "copy-on-read=on", "copy-on-read=off", "id=x", "snapshot=on", "x-image-opts", "aio=native", "filename=a.raw", "cache-clean-interval=0",
    ];

    private string _format = "raw";

    /// <summary>With <c>--image-opts</c>, images are option strings.</summary>
    public bool AreNodes { get; set; }

    /// <summary>Chooses the format that what follows is about.</summary>
    public void ChooseFormat() => _format = Pick(Formats);

    public string Pick(IReadOnlyList<string> choices) => choices[random.Next(choices.Count)];

    /// <summary>Replaces each word in braces.</summary>
    public string Expand(string text)
    {
        int at;
        while ((at = text.IndexOf('{', StringComparison.Ordinal)) >= 0)
        {
            int end = text.IndexOf('}', at);
            text = string.Concat(text.AsSpan(0, at), Word(text[(at + 1)..end]), text.AsSpan(end + 1));
        }

        // Braces that are meant as such.
        return text.Replace('\u0001', '{').Replace('\u0002', '}');
    }

    private string Word(string word) => word switch
    {
        "f" => _format,
        "fmt" => random.Next(10) switch { < 7 => _format, 7 or 8 => Pick(Formats), _ => Pick(["foo", "''", "file", "RAW", "nbd"]) },
        "fmt2" => random.Next(3) == 0 ? _format : Pick(Formats),
        "image" => Image(Pick(WalkImages.OfFormat[_format])),
        "image2" => Image(Pick(WalkImages.OfFormat[Pick(Formats)])),
        "overlay" => Image(Pick(random.Next(6) == 0 ? WalkImages.OfFormat[_format] : ["top.qcow2", "tip.qcow2", "tip.qcow2", "short.qcow2", "orphan.qcow2", "top.vmdk", "top.qed", "top.qcow"])),
        "base" => Pick(random.Next(5) == 0 ? WalkImages.Wrong : ["a.raw", "long.raw", "b.raw", "a.qcow2", "a.qcow2", "top.qcow2", "a.vmdk", "a.qed", "zero.raw", "''", "small.qcow2"]),
        "any" => random.Next(5) == 0 ? Json(Pick(WalkImages.OfFormat[_format])) : Image(Pick(WalkImages.Wrong)),
        "node" => Node(Pick(WalkImages.OfFormat[_format])),
        "create" => random.Next(4) == 0 || !Create.TryGetValue(_format, out string[]? own) ? Pick(CreateAny) : Pick(own),
        "amend" => Pick(Amend),
        _ => Pick(Plain[word]),
    };

    private string Image(string name) => AreNodes && random.Next(12) > 0 ? Node(name) : name;

    private string Node(string name)
    {
        string driver = Path.GetExtension(name) is { Length: > 1 } extension ? extension[1..] : _format;
        string text = random.Next(12) switch
        {
            < 9 => $"driver={driver},file.filename={name}",
            9 => $"file.filename={name}",
            10 => $"driver={Pick(Formats)},file.filename={name}",
            _ => $"driver={driver},file.driver=file,file.filename={name}",
        };
        for (int i = random.Next(3); i > 0; i--)
        {
            text += "," + Pick(NodeOptions);
        }

        return random.Next(8) == 0 ? Over(name, driver) : text;
    }

    // The same image by way of another driver.
    private string Over(string name, string driver) => random.Next(10) switch
    {
        0 => $"driver=raw,file.driver={driver},file.file.filename={name}",
        1 => $"driver=copy-on-read,file.driver={driver},file.file.filename={name}",
        2 => $"driver=throttle,throttle-group=tg,file.driver={driver},file.file.filename={name}",
        3 => $"driver=compress,file.driver={driver},file.file.filename={name}",
        4 => $"driver=preallocate,file.driver=file,file.filename={name}",
        5 => $"driver={driver},file.driver=preallocate,file.file.driver=file,file.file.filename={name}",
        6 => $"driver={driver},file.driver=blkdebug,file.image.driver=file,file.image.filename={name}",
        7 => $"driver=quorum,vote-threshold=1,children.0.driver={driver},children.0.file.filename={name}",
        8 => $"driver=quorum,vote-threshold=1,children.0.file.filename={name},children.1.file.filename=a.raw",
        _ => $"driver={driver},file.driver=raw,file.file.filename={name}",
    };

    // Braces are written so that they are not taken for words.
    private string Json(string name)
    {
        string driver = Path.GetExtension(name) is { Length: > 1 } extension ? extension[1..] : _format;
        string option = Pick(["", "", ", \"read-only\": true", ", \"size\": 1024", ", \"foo\": 1", ", \"file\": \"x\"", ", \"backing\": null", ", \"driver\": \"raw\"", ",", ", \"lazy-refcounts\": \"on\"", ", \"lazy-refcounts\": true", ", \"l2-cache-size\": 65536", ", \"discard\": \"unmap\"", ", \"a\": [1, 2]"]);
        return $"'json:\u0001\"driver\": \"{driver}\", \"file\": \u0001\"driver\": \"file\", \"filename\": \"{name}\"\u0002{option}\u0002'";
    }
}
