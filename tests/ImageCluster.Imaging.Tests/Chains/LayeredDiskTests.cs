using CsCheck;
using ImageCluster.Testing;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Tests.Chains;

/// <summary>Random stacks of layers with clusters and sizes of their own, beside a flat array of bytes.</summary>
public sealed class LayeredDiskTests
{
    private const int MaxSize = 4096;

    private static readonly Gen<(int Unit, int Size, int Seed)> Layer =
        Gen.Select(Gen.OneOf(64, 128, 256, 1024), Gen.Int[1, MaxSize], Gen.Int, (unit, size, seed) => (unit, size, seed));

    [Fact]
    public void ReadsAndMapsAsTheFlatDisk() => Gen.Select(Layer.List[1, 5], Gen.Int).Holds((layers, seed) =>
    {
        (LayeredDisk disk, byte[] expected) = Build(layers);
        Random random = new(seed);
        for (int i = 0; i < 20; i++)
        {
            int offset = random.Next(expected.Length);
            byte[] buffer = new byte[random.Next(expected.Length - offset + 40)];
            disk.Read(offset, buffer);
            byte[] wanted = new byte[buffer.Length];
            expected.AsSpan(offset, Math.Min(buffer.Length, expected.Length - offset)).CopyTo(wanted);
            Assert.Equal(wanted, buffer);
        }

        long at = 0;
        foreach (DiskExtent extent in disk.MapRange(0, disk.VirtualSize))
        {
            Assert.Equal(at, extent.Extent.Start);
            at = extent.Extent.End;
            if (extent.Extent.Kind is ExtentKind.Absent or ExtentKind.Zero)
            {
                Assert.True(expected.AsSpan((int)extent.Extent.Start, (int)extent.Extent.Length).IndexOfAnyExcept((byte)0) < 0, "mapped as zeros, is data");
            }
        }

        Assert.Equal(disk.VirtualSize, at);
    });

    [Fact]
    public void WritesAtAnyAlignmentFillUnitsFromTheChain() => Gen.Select(Layer.List[1, 4], Gen.Int).Holds((layers, seed) =>
    {
        (LayeredDisk disk, byte[] expected) = Build(layers);
        Random random = new(seed);
        for (int i = 0; i < 12; i++)
        {
            int offset = random.Next(expected.Length);
            int length = random.Next(1, expected.Length - offset + 1);
            if (random.Next(4) == 0)
            {
                disk.WriteZeroes(offset, length, ZeroMode.MayUnmap);
                expected.AsSpan(offset, length).Clear();
            }
            else
            {
                byte[] data = new byte[length];
                random.NextBytes(data);
                disk.Write(offset, data);
                data.CopyTo(expected, offset);
            }

            byte[] all = new byte[expected.Length];
            disk.Read(0, all);
            Assert.Equal(expected, all);
        }
    });

    private static (LayeredDisk Disk, byte[] Expected) Build(List<(int Unit, int Size, int Seed)> specs)
    {
        ModelLayer[] layers = [.. specs.Select(s => new ModelLayer(s.Unit, s.Size, s.Seed))];
        byte[] expected = new byte[layers[0].VirtualSize];
        for (int i = 0; i < expected.Length; i++)
        {
            expected[i] = ByteAt(layers, i);
        }

        return (new LayeredDisk(layers), expected);
    }

    private static byte ByteAt(ModelLayer[] layers, int offset)
    {
        foreach (ModelLayer layer in layers)
        {
            if (offset >= layer.VirtualSize)
            {
                return 0;
            }

            if (layer.KindAt(offset) != ExtentKind.Absent)
            {
                return layer.Bytes[offset];
            }
        }

        return 0;
    }

    /// <summary>Units of any kind; refuses writes that the contract does not allow.</summary>
    private sealed class ModelLayer : IWritableLayer
    {
        private readonly ExtentKind[] _kinds;

        public ModelLayer(int unit, int size, int seed)
        {
            Random random = new(seed);
            Granularity = unit;
            VirtualSize = size;
            Bytes = new byte[size];
            random.NextBytes(Bytes);
            _kinds = [.. Enumerable.Range(0, (size + unit - 1) / unit).Select(_ => (ExtentKind)random.Next(4))];
            for (int i = 0; i < size; i++)
            {
                Bytes[i] = KindAt(i) == ExtentKind.Zero ? (byte)0 : Bytes[i];
            }
        }

        public byte[] Bytes { get; }

        public string FormatName => "model";

        public string FileName => "model";

        public long VirtualSize { get; }

        public long Granularity { get; }

        public BackingReference? Backing => null;

        public ExtentKind KindAt(long offset) => _kinds[offset / Granularity];

        public Extent Map(long offset, long length)
        {
            ExtentKind kind = KindAt(offset);
            long end = Math.Min(VirtualSize, ((offset / Granularity) + 1) * Granularity);
            return new Extent(offset, Math.Min(length, end - offset), kind, null, kind is ExtentKind.Data ? offset : -1);
        }

        public void Read(in Extent extent, Span<byte> buffer)
        {
            Assert.Equal(extent.Length, buffer.Length);
            Assert.True(KindAt(extent.Start) is ExtentKind.Data or ExtentKind.Compressed);
            Bytes.AsSpan((int)extent.Start, buffer.Length).CopyTo(buffer);
        }

        public void Write(long offset, ReadOnlySpan<byte> data)
        {
            CheckAligned(offset, data.Length);
            data.CopyTo(Bytes.AsSpan((int)offset));
            Mark(offset, data.Length, ExtentKind.Data);
        }

        public void WriteZeroes(long offset, long length, ZeroMode mode)
        {
            CheckAligned(offset, length);
            Bytes.AsSpan((int)offset, (int)length).Clear();
            Mark(offset, length, ExtentKind.Zero);
        }

        public void Discard(long offset, long length) => throw new NotSupportedException();

        public void Flush()
        {
        }

        public FormatSpecificInfo? DescribeSpecific() => null;

        public void Dispose()
        {
        }

        private void Mark(long offset, long length, ExtentKind kind)
        {
            for (long unit = offset / Granularity; unit * Granularity < offset + length; unit++)
            {
                _kinds[unit] = kind;
            }
        }

        private void CheckAligned(long offset, long length)
        {
            for (long at = offset; at < offset + length; at++)
            {
                if (KindAt(at) != ExtentKind.Data)
                {
                    long unit = at / Granularity * Granularity;
                    Assert.True(unit >= offset && Math.Min(VirtualSize, unit + Granularity) <= offset + length, "a partial unit that is not data");
                }
            }
        }
    }
}
