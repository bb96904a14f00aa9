using System.Runtime.InteropServices;
using ImageCluster.Imaging.Storage.Native;
using Microsoft.Win32.SafeHandles;

namespace ImageCluster.Imaging.Storage.Direct;

/// <summary>Finds what alignment O_DIRECT wants where statx does not tell (Linux before 6.1, most network file systems): by trying.</summary>
internal static class DirectAlignment
{
    private const int Largest = 4096;

    /// <summary>Bytes, a power of two; null where no read of the sizes that devices have works.</summary>
    public static unsafe int? Probe(SafeFileHandle handle, FileType type)
    {
        if (type == FileType.BlockDevice && HostFile.SectorSize(handle) is > 0 and int sector)
        {
            return sector;
        }

        void* address = NativeMemory.AlignedAlloc(Largest, Largest);
        try
        {
            if (CanRead(handle, new Span<byte>(address, 1)))
            {
                // It takes anything (or the file is empty, which says nothing): the safe value.
                return Largest;
            }

            for (int alignment = 512; alignment <= Largest; alignment *= 2)
            {
                if (CanRead(handle, new Span<byte>(address, alignment)))
                {
                    return alignment;
                }
            }

            return null;
        }
        finally
        {
            NativeMemory.AlignedFree(address);
        }
    }

    private static bool CanRead(SafeFileHandle handle, Span<byte> buffer)
    {
        try
        {
            RandomAccess.Read(handle, buffer, 0);
            return true;
        }
        catch (IOException e) when (e.HResult == Errno.Inval)
        {
            return false;
        }
    }
}
