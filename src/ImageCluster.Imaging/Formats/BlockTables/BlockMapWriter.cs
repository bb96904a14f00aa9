using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.BlockTables;

/// <summary>
/// Writes in place into an image with one level of block table. Data goes to the file at once; the table's changes stay in memory
/// until <see cref="Flush"/> has made the data durable, so that a crash leaves unreferenced blocks at worst.
/// </summary>
internal sealed class BlockMapWriter(IBlockFile file, IWritableBlockMap map)
{
    private readonly Lock _flushing = new();

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        while (data.Length > 0)
        {
            long block = offset / map.BlockSize;
            long within = offset - block * map.BlockSize;
            int length = (int)Math.Min(data.Length, map.BlockSize - within);
            file.Write(map.Claim(block) + within, data[..length]);
            offset += length;
            data = data[length..];
            if (map.WantsWriteBack)
            {
                Flush();
            }
        }
    }

    /// <summary>Blocks without a place read as zeros already; the others keep theirs.</summary>
    public void WriteZeroes(long offset, long length, ZeroMode mode)
    {
        for (long end = offset + length; offset < end;)
        {
            long block = offset / map.BlockSize;
            long within = offset - block * map.BlockSize;
            long part = Math.Min(end - offset, map.BlockSize - within);
            if (map.Find(block).Kind == ExtentKind.Data)
            {
                file.WriteZeroes(map.Claim(block) + within, part, mode);
            }

            offset += part;
        }
    }

    public void Flush()
    {
        lock (_flushing)
        {
            file.Flush();
            map.WriteBack();
        }
    }
}
