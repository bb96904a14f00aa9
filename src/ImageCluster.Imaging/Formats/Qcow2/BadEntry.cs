namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// QEMU's words for an entry of a table that points where it cannot, by the table and index that it stands at. Offsets are of the file, in bytes; numbers are
/// printed as by C's <c>%#x</c>, for which zero has no prefix.
/// </summary>
internal static class BadEntry
{
    public static string L2Table(long offset, int l1Index) => $"{L2Table(offset)} (L1 index: {Hex(l1Index)})";

    /// <summary>Of a table whose place in an L1 table is not known.</summary>
    public static string L2Table(long offset) => $"L2 table offset {Hex(offset)} unaligned";

    public static string Cluster(long offset, long tableOffset, int l2Index) =>
        $"Cluster allocation offset {Hex(offset)} unaligned ({At(tableOffset, l2Index)})";

    /// <summary>The place of an L2 entry.</summary>
    public static string At(long tableOffset, int l2Index) => $"L2 offset: {Hex(tableOffset)}, L2 index: {Hex(l2Index)}";

    public static string RefcountBlock(ulong offset, long tableIndex) => $"Refblock offset 0x{offset:x} unaligned (reftable index: {Hex(tableIndex)})";

    /// <summary>Of an image whose data file must have each cluster where the guest has it.</summary>
    public static string DataFileCluster(long offset, long guestOffset, int l2Index) =>
        $"External data file host cluster offset {Hex(offset)} does not match guest cluster offset: {Hex(guestOffset)}, L2 index: {Hex(l2Index)})";

    private static string Hex(long number) => number == 0 ? "0" : $"0x{number:x}";
}
