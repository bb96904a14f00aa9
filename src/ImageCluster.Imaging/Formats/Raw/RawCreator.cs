using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Formats.Raw;

/// <summary>Makes empty raw images.</summary>
internal static class RawCreator
{
    private const int SectorSize = 512;
    private const int ZeroChunk = 1 << 20;

    /// <summary>QEMU counts raw images in sectors: a size is rounded up to 512 bytes.</summary>
    public static long RoundedSize(CreateRequest request) => RoundedSize(request.VirtualSize, request.FileName);

    /// <inheritdoc cref="RoundedSize(CreateRequest)"/>
    public static long RoundedSize(long size, string? fileName) => size is >= 0 and <= long.MaxValue - SectorSize + 1
        ? (size + SectorSize - 1) & -SectorSize
        : throw new ImageException(ImageErrorKind.Limit, fileName, $"Image size must be less than {long.MaxValue - SectorSize} bytes");

    /// <summary>Creates the file, or takes a device that is there and large enough, with the preallocation asked for.</summary>
    public static IBlockFile Create(CreateRequest request)
    {
        long size = RoundedSize(request);
        string preallocation = new OptionReader(request.Options, request.FileName).FilePreallocation();
        IBlockFile file = Make(request, size, preallocation);
        try
        {
            if (file.Length < size)
            {
                throw new ImageException(ImageErrorKind.NoSpace, request.FileName, "Device is too small for the image");
            }

            if (file is not IPartFile)
            {
                file.AllocateStart(size);
            }

            if (preallocation != "off" && file.HasFixedSize)
            {
                throw new ImageException(ImageErrorKind.Unsupported, file.Name, $"Unsupported preallocation mode '{preallocation}'");
            }

            Preallocating.Run(preallocation, "", file, () => Preallocate(file, size, preallocation));
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    // falloc takes the room without setting the length first, so that a file that must not become so long fails there.
    private static IBlockFile Make(CreateRequest request, long size, string preallocation)
    {
        try
        {
            return request.Locator.Create(request.FileName, size, request.Mode with { Role = FileRole.Raw });
        }
        catch (ImageException e) when (e.Errno == Errno.FBig && preallocation == "falloc")
        {
            throw e.In("Could not preallocate new data");
        }
    }

    private static void Preallocate(IBlockFile file, long size, string mode)
    {
        if (size == 0 || mode == "off" || !file.CanResize)
        {
            return;
        }

        if (mode == "falloc")
        {
            file.Allocate(0, size);
            return;
        }

        byte[] zeros = new byte[Math.Min(size, ZeroChunk)];
        for (long at = 0; at < size; at += zeros.Length)
        {
            file.Write(at, zeros.AsSpan(0, (int)Math.Min(zeros.Length, size - at)));
        }

        file.Flush();
    }
}
