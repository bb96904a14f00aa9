namespace ImageCluster.Imaging.Storage;

/// <summary>Storage that tells apart space that is allocated and bytes that are zero, as an NBD server does.</summary>
public interface IAllocationStatus
{
    /// <summary>As <see cref="IBlockFile.NextRange"/>, which calls a hole what is both unallocated and zero.</summary>
    AllocationRange NextStatus(long offset, long length);
}

/// <summary>A run of bytes that is all of one kind.</summary>
/// <param name="Length">Bytes for which it holds, 1 or more.</param>
/// <param name="IsAllocated">It occupies space.</param>
/// <param name="IsZero">It reads as zeros; where false it may hold anything.</param>
public readonly record struct AllocationRange(long Length, bool IsAllocated, bool IsZero);
