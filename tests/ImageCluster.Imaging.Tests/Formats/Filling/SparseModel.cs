using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Tests.Formats.Qcow2;
using ImageCluster.Testing.Qemu;
using Microsoft.Win32.SafeHandles;

namespace ImageCluster.Imaging.Tests.Formats.Filling;

/// <summary>A disk of mostly nothing, too large to hold in memory.</summary>
internal sealed class SparseModel
{
    private readonly long _size;
    private readonly SortedDictionary<long, byte[]> _islands = [];

    public SparseModel(long size, Random random)
    {
        _size = size;
        for (int i = 0; i < 40; i++)
        {
            long at = random.NextInt64(size) & ~511L;
            byte[] bytes = GuestContent.Make((int)Math.Min(random.Next(1, 400_000), size - at), random.Next(), 50_000);
            if (!_islands.Any(island => island.Key < at + bytes.Length && at < island.Key + island.Value.Length))
            {
                _islands.Add(at, bytes);
            }
        }
    }

    public ShardManifest? FillShard(IFillTarget target, long shard, IRoom room)
    {
        long start = shard * target.ShardLength;
        long end = Math.Min(start + target.ShardLength, _size);
        using FillRun run = new();
        for (long at = start; at < end; at += target.PreferredRunLength)
        {
            int length = (int)Math.Min(target.PreferredRunLength, end - at);
            if (_islands.Any(island => island.Key < at + length && at < island.Key + island.Value.Length))
            {
                run.StartData(at, length);
                Read(at, run.Data);
                target.Prepare(run);
                target.Reserve(run, room);
                target.Write(run);
            }
        }

        return target.CloseShard(shard);
    }

    /// <summary>Writes the disk as a raw file with holes.</summary>
    public void WriteRaw(string path)
    {
        using SafeFileHandle file = File.OpenHandle(path, FileMode.Create, FileAccess.Write);
        RandomAccess.SetLength(file, _size);
        foreach ((long at, byte[] bytes) in _islands)
        {
            RandomAccess.Write(file, bytes, at);
        }
    }

    public void AssertSame(LayeredDisk disk)
    {
        foreach ((long at, byte[] bytes) in _islands)
        {
            byte[] actual = new byte[bytes.Length];
            disk.Read(at, actual);
            Qcow2TestImages.AssertSame(bytes, actual);
        }

        // Between the islands there is nothing but zeros.
        for (long at = 0; at < _size;)
        {
            DiskExtent extent = disk.Map(at, Math.Min(1 << 20, _size - at));
            byte[] actual = new byte[extent.Extent.Length];
            byte[] expected = new byte[extent.Extent.Length];
            Read(at, expected);
            if (extent.Extent.Kind is ExtentKind.Data or ExtentKind.Compressed)
            {
                disk.Read(extent, actual);
            }

            Qcow2TestImages.AssertSame(expected, actual);
            at = extent.Extent.End;
        }
    }

    private void Read(long offset, Span<byte> buffer)
    {
        buffer.Clear();
        foreach ((long at, byte[] bytes) in _islands)
        {
            long from = Math.Max(at, offset);
            long to = Math.Min(at + bytes.Length, offset + buffer.Length);
            if (from < to)
            {
                bytes.AsSpan((int)(from - at), (int)(to - from)).CopyTo(buffer[(int)(from - offset)..]);
            }
        }
    }
}
