namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>The geometry that follows from a header: sizes and shifts of clusters, tables and refcounts.</summary>
internal sealed class Layout
{
    public const int SubclustersPerCluster = 32;

    /// <summary>The host offset in an L1 or standard L2 entry: bits 9 to 55.</summary>
    public const ulong OffsetMask = 0x00FF_FFFF_FFFF_FE00;

    /// <summary>L1 and L2 entries: the refcount is exactly one, so that writing in place is allowed.</summary>
    public const ulong CopiedFlag = 1UL << 63;

    /// <summary>L2 entries: the cluster is compressed.</summary>
    public const ulong CompressedFlag = 1UL << 62;

    /// <summary>Standard L2 entries of version 3: the cluster reads as zeros.</summary>
    public const ulong ZeroFlag = 1;

    public Layout(Header header)
    {
        ClusterBits = header.ClusterBits;
        HasSubclusters = header.HasExtendedL2;
        L2EntryShift = HasSubclusters ? 4 : 3;
        SubclusterBits = HasSubclusters ? ClusterBits - 5 : ClusterBits;
        RefcountOrder = header.RefcountOrder;
    }

    /// <summary>9 to 21.</summary>
    public int ClusterBits { get; }

    /// <summary>Bytes.</summary>
    public int ClusterSize => 1 << ClusterBits;

    /// <summary>L2 entries are 16 bytes and carry a bitmap of 32 subclusters.</summary>
    public bool HasSubclusters { get; }

    /// <summary>Base-2 logarithm of the subcluster's size in bytes; the cluster's where there are none.</summary>
    public int SubclusterBits { get; }

    /// <summary>Bytes.</summary>
    public int SubclusterSize => 1 << SubclusterBits;

    /// <summary>Base-2 logarithm of an L2 entry's length in bytes: 3, or 4 with subclusters.</summary>
    public int L2EntryShift { get; }

    /// <summary>64-bit words of an L2 entry.</summary>
    public int L2EntryWords => 1 << (L2EntryShift - 3);

    /// <summary>Base-2 logarithm of the number of entries in an L2 table, which is always one cluster.</summary>
    public int L2Bits => ClusterBits - L2EntryShift;

    public int L2Entries => 1 << L2Bits;

    /// <summary>Base-2 logarithm of the guest bytes that one L2 table maps: 15 (512-byte clusters) to 39.</summary>
    public int L2TableShift => ClusterBits + L2Bits;

    /// <summary>Guest bytes that one L2 table maps.</summary>
    public long L2TableSpan => 1L << L2TableShift;

    /// <summary>Base-2 logarithm of a refcount's width in bits, 0 to 6. Changed only by <see cref="RefcountWidth"/>, while nobody else uses the image.</summary>
    public int RefcountOrder { get; set; }

    /// <summary>1 to 64.</summary>
    public int RefcountBits => 1 << RefcountOrder;

    public ulong RefcountMax => ulong.MaxValue >> (64 - RefcountBits);

    /// <summary>Base-2 logarithm of the refcounts in a refcount block, which is always one cluster.</summary>
    public int RefcountBlockBits => ClusterBits + 3 - RefcountOrder;

    /// <summary>Refcounts in a block.</summary>
    public long RefcountBlockEntries => 1L << RefcountBlockBits;

    /// <summary>In a compressed cluster's descriptor: where the number of further sectors starts; below is the host offset.</summary>
    public int CompressedSectorsShift => 62 - (ClusterBits - 8);

    /// <summary>Host offset in bytes (any alignment) of a compressed cluster.</summary>
    public long CompressedOffset(ulong entry) => (long)(entry & ((1UL << CompressedSectorsShift) - 1));

    /// <summary>Bytes of a compressed cluster, at most: up to the end of the last 512-byte sector that it touches.</summary>
    public int CompressedLength(ulong entry)
    {
        int sectors = (int)((entry & ~(CopiedFlag | CompressedFlag)) >> CompressedSectorsShift) + 1;
        return (sectors * 512) - (int)(entry & 511);
    }

    public int L1Index(long guestOffset) => (int)(guestOffset >> L2TableShift);

    public int L2Index(long guestOffset) => (int)(guestOffset >> ClusterBits) & (L2Entries - 1);

    public int OffsetInCluster(long offset) => (int)offset & (ClusterSize - 1);

    /// <summary>L1 entries that a disk of <paramref name="virtualSize"/> bytes needs.</summary>
    public long L1EntriesFor(long virtualSize) => (virtualSize >> L2TableShift) + ((virtualSize & (L2TableSpan - 1)) == 0 ? 0 : 1);

    public bool IsClusterAligned(long offset) => (offset & (ClusterSize - 1)) == 0;
}
