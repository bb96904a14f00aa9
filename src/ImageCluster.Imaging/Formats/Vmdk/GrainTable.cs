namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>A grain table as it is used: where each grain stands, whatever the entries look like in the file.</summary>
/// <param name="index">Its number in the extent.</param>
/// <param name="entries">Host offsets in bytes, or one of the constants.</param>
internal sealed class GrainTable(long index, long[] entries) : ICacheLine
{
    /// <summary>The grain is not there: ask the parent.</summary>
    public const long Absent = 0;

    /// <summary>The grain reads as zeros.</summary>
    public const long Zero = 1;

    /// <summary>The entry makes no sense.</summary>
    public const long Invalid = -1;

    public long Key => index;

    public int Count => entries.Length;

    /// <summary>An offset in the file (bytes, a multiple of a sector) or a constant. Read and written whole by any thread.</summary>
    public long this[int entry]
    {
        get => Volatile.Read(ref entries[entry]);
        set => Volatile.Write(ref entries[entry], value);
    }

    /// <summary>True where the entry is an offset.</summary>
    public static bool IsOffset(long entry) => entry > Zero;
}
