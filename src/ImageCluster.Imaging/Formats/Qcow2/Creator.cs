using System.Buffers;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// Makes empty qcow2 images, byte for byte those of qemu-img 7.2: header, refcount table, refcount block, L1 table, and with preallocation
/// the L2 tables and room for the data. The header is written last.
/// </summary>
internal static class Creator
{
    private const int ZeroChunk = 1 << 20;

    public static void Create(CreateRequest request)
    {
        CreateSettings settings = CreateSettings.Read(request);
        NewImage image = new(settings, request.FileName);
        byte[] header = HeaderWriter.Write(image.Header, request.FileName);
        byte[]? password = settings.Encryption?.Password(request.Secret, request.FileName);
        using IBlockFile file = request.Locator.Create(request.FileName, 0, request.Mode);
        bool hasDataFile = false;
        try
        {
            using (IBlockFile? data = CreateDataFile(request, settings))
            {
                hasDataFile = data is not null;
                image.WritePreallocation(file, data);
            }

            settings.Encryption?.Write(image, file, password!).Dispose();
            RefcountWriter.Write(file, image.Layout, image.Space.RefcountBlocks, image.Space.RefcountTable, image.Space.RefcountTableClusters, image.Space.Used);
            image.WriteL1(file, image.TableOffsets);
            HeaderWriter.WriteLast(file, header);
        }
        catch (ImageException)
        {
            DeleteUnfinished(request, hasDataFile ? settings.DataFile : null);
            throw;
        }
    }

    /// <summary>Makes the external data file where there is to be one: as large as the disk.</summary>
    public static IBlockFile? CreateDataFile(CreateRequest request, CreateSettings settings)
    {
        if (settings.DataFile is null)
        {
            return null;
        }

        if (settings.DataFile.Length > 0 && request.Locator.Canonical(settings.DataFile) == request.Locator.Canonical(request.FileName))
        {
            throw new ImageException(ImageErrorKind.Locked, request.FileName, "Failed to get shared \"resize\" lock")
            {
                Hint = $"Is another process using the image [{settings.DataFile}]?",
            };
        }

        IBlockFile file = request.Locator.Create(settings.DataFile, 0, request.Mode with { Role = FileRole.Data });
        try
        {
            SetLength(file, settings.Header.VirtualSize);
            return file;
        }
        catch (ImageException e)
        {
            file.Dispose();
            if (e.Errno == Errno.FBig)
            {
                Delete(request, settings.DataFile);
            }

            throw;
        }
    }

    private static void SetLength(IBlockFile file, long length)
    {
        try
        {
            file.SetLength(length);
        }
        catch (ImageException e)
        {
            throw e.Saying($"Could not resize image: {e.Message}");
        }
    }

    /// <summary>
    /// Deletes what was made of an image that then failed, as QEMU does: what stood there before is gone already.
    /// </summary>
    /// <param name="request">Names the image.</param>
    /// <param name="dataFile">The data file, where it was made: one that could not be, because somebody uses it, is not ours to delete.</param>
    public static void DeleteUnfinished(CreateRequest request, string? dataFile)
    {
        Delete(request, request.FileName);
        if (dataFile is not null)
        {
            Delete(request, dataFile);
        }
    }

    private static void Delete(CreateRequest request, string file)
    {
        try
        {
            request.Locator.Delete(file);
        }
        catch (ImageException)
        {
            // The failure that led here is the one to report.
        }
    }

    /// <summary>Takes the room of the data on the storage, as the preallocation asks.</summary>
    /// <param name="file">Holds the data.</param>
    /// <param name="start">First byte.</param>
    /// <param name="end">Past the last byte.</param>
    /// <param name="mode">How.</param>
    /// <param name="isDataFile">It holds nothing else.</param>
    public static void Occupy(IBlockFile file, long start, long end, Preallocation mode, bool isDataFile)
    {
        if (end <= start)
        {
            return;
        }

        string context = isDataFile ? "Could not resize image: " : "Could not resize image: Failed to resize underlying file: ";
        switch (mode)
        {
            case Preallocation.Falloc:
                Preallocating.Run("falloc", context, file, () => file.Allocate(start, end - start));
                break;
            case Preallocation.Full:
                Preallocating.Run("full", context, file, () => WriteZeros(file, start, end));
                break;
            default:
                if (file.Length < end)
                {
                    SetLength(file, end);
                }

                break;
        }
    }

    private static void WriteZeros(IBlockFile file, long start, long end)
    {
        byte[] zeros = ArrayPool<byte>.Shared.Rent(ZeroChunk);
        zeros.AsSpan().Clear();
        for (long at = start; at < end; at += ZeroChunk)
        {
            file.Write(at, zeros.AsSpan(0, (int)Math.Min(ZeroChunk, end - at)));
        }

        ArrayPool<byte>.Shared.Return(zeros);
    }
}
