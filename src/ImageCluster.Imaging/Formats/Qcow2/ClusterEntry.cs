namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// An L2 entry taken apart. Standard and extended entries look alike: the former are one subcluster, the latter 32. What readers are to
/// be told of bad entries is <see cref="ClusterMap"/>'s; a writer looks here at what it may keep and must free.
/// </summary>
/// <param name="Word">The descriptor.</param>
/// <param name="Allocated">A bit for each subcluster whose bytes stand in the host cluster.</param>
/// <param name="Zero">A bit for each subcluster that reads as zeros.</param>
/// <param name="Host">Host offset of the cluster in bytes, -1 where there is none or it is compressed.</param>
internal readonly record struct ClusterEntry(ulong Word, uint Allocated, uint Zero, long Host)
{
    /// <summary>Nothing there.</summary>
    public static readonly ClusterEntry Absent = new(0, 0, 0, -1);

    public bool IsCompressed => (Word & Layout.CompressedFlag) != 0;

    /// <summary>The host cluster is this entry's alone: it may be written in place.</summary>
    public bool IsWritable => Host >= 0 && (Word & Layout.CopiedFlag) != 0;

    /// <summary>All subclusters' bits.</summary>
    public static uint AllBits(Layout layout) => layout.HasSubclusters ? uint.MaxValue : 1;

    /// <summary>The entry with number <paramref name="index"/> of a table.</summary>
    public static ClusterEntry Read(L2Table table, int index, Metadata metadata)
    {
        Layout layout = metadata.Layout;
        ulong word = table[index * layout.L2EntryWords];
        if ((word & Layout.CompressedFlag) != 0)
        {
            return new ClusterEntry(word, AllBits(layout), 0, -1);
        }

        ulong offset = word & Layout.OffsetMask;

        // Offset 0 is the header of an image, but the first cluster of an external data file.
        bool hasHost = offset != 0 || (metadata.HasDataFile && (word & Layout.CopiedFlag) != 0);
        long host = hasHost ? (long)offset : -1;
        if (layout.HasSubclusters)
        {
            ulong bits = table[(index * 2) + 1];
            return new ClusterEntry(word, (uint)bits, (uint)(bits >> 32), host);
        }

        bool zero = (word & Layout.ZeroFlag) != 0;
        return new ClusterEntry(word, hasHost && !zero ? 1U : 0, zero ? 1U : 0, host);
    }

    /// <summary>An entry with a host cluster of its own.</summary>
    public static ClusterEntry WithHost(long host, uint allocated, uint zero, Layout layout)
    {
        ulong word = (ulong)host | Layout.CopiedFlag;
        return new ClusterEntry(!layout.HasSubclusters && zero != 0 ? word | Layout.ZeroFlag : word, allocated, zero, host);
    }

    /// <summary>Reads as zeros, without a host cluster.</summary>
    public static ClusterEntry PlainZero(Layout layout) => layout.HasSubclusters
        ? new ClusterEntry(0, 0, uint.MaxValue, -1)
        : new ClusterEntry(Layout.ZeroFlag, 0, 1, -1);

    /// <summary>The same host cluster (or none), other subclusters.</summary>
    public ClusterEntry WithBits(uint allocated, uint zero, Layout layout)
    {
        ulong word = layout.HasSubclusters ? Word : zero != 0 ? Word | Layout.ZeroFlag : Word & ~Layout.ZeroFlag;
        return this with { Word = word, Allocated = allocated, Zero = zero };
    }

    /// <summary>
    /// Stores the entry. Of an extended entry the two words are stored in the order in which a reader between them sees the old content.
    /// </summary>
    public void Store(L2Table table, int index, Layout layout)
    {
        if (!layout.HasSubclusters)
        {
            table[index] = Word;
            return;
        }

        ulong bits = IsCompressed ? 0 : ((ulong)Zero << 32) | Allocated;
        if (Host >= 0)
        {
            table[index * 2] = Word;
            table[(index * 2) + 1] = bits;
        }
        else
        {
            table[(index * 2) + 1] = bits;
            table[index * 2] = Word;
        }
    }
}
