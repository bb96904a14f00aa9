namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>Bits of a version 3 header that a reader must know or refuse the image.</summary>
[Flags]
internal enum IncompatibleFeatures : ulong
{
    None = 0,

    /// <summary>The refcounts may be wrong: rebuild them before they are used.</summary>
    Dirty = 1,

    /// <summary>Metadata is known to be wrong: do not write.</summary>
    Corrupt = 2,

    /// <summary>Guest clusters stand in another file.</summary>
    DataFile = 4,

    /// <summary>The header's compression type is not zlib.</summary>
    Compression = 8,

    /// <summary>L2 entries are 16 bytes, with a bitmap of 32 subclusters.</summary>
    ExtendedL2 = 16,

    Known = Dirty | Corrupt | DataFile | Compression | ExtendedL2,
}

/// <summary>Bits of a version 3 header that may be ignored.</summary>
[Flags]
internal enum CompatibleFeatures : ulong
{
    None = 0,

    /// <summary>Refcount updates may be postponed (and <see cref="IncompatibleFeatures.Dirty"/> set meanwhile).</summary>
    LazyRefcounts = 1,
}

/// <summary>Bits of a version 3 header that a writer who does not know them must clear.</summary>
[Flags]
internal enum AutoclearFeatures : ulong
{
    None = 0,

    /// <summary>The bitmaps extension is consistent.</summary>
    Bitmaps = 1,

    /// <summary>The external data file alone is a valid raw image.</summary>
    DataFileRaw = 2,

    Known = Bitmaps | DataFileRaw,

    /// <summary>
    /// This engine's own, in no specification: shards are being merged into the image, and nobody has written to it otherwise since that began. Every other
    /// writer clears a bit that it does not know (so does this engine's), which is how a foreign write between two shards is found out.
    /// </summary>
    Merging = 1UL << 62,

    /// <summary>Beside <see cref="Merging"/>: taking the shards in has begun, so that there may be leaks where it did not end.</summary>
    TakingIn = 1UL << 61,
}

/// <summary>How compressed clusters are packed.</summary>
internal enum CompressionType : byte
{
    /// <summary>Raw deflate without a zlib header, 12-bit window.</summary>
    Zlib = 0,

    /// <summary>One zstd frame.</summary>
    Zstd = 1,
}

/// <summary>How the guest's clusters are encrypted.</summary>
internal enum CryptMethod : uint
{
    None = 0,

    /// <summary>The legacy AES-CBC of qcow.</summary>
    Aes = 1,

    /// <summary>LUKS, its header in clusters of this file.</summary>
    Luks = 2,
}

/// <summary>What the "full disk encryption header" extension says: where in the file the LUKS header stands, in bytes.</summary>
internal readonly record struct CryptoHeaderPointer(long Offset, long Length);

/// <summary>What the bitmaps extension says.</summary>
/// <param name="Count">Number of persistent bitmaps, 1 to 65,535.</param>
/// <param name="DirectoryOffset">Where in the file their directory starts, in bytes, cluster-aligned.</param>
/// <param name="DirectorySize">Bytes.</param>
internal readonly record struct BitmapsPointer(int Count, long DirectoryOffset, long DirectorySize);

/// <summary>A header extension that this engine does not know; it is kept when the header is written anew.</summary>
internal sealed record HeaderExtension(uint Magic, byte[] Data);
