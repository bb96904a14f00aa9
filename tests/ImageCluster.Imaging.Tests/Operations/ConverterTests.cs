using CsCheck;
using ImageCluster.Testing;
using ImageCluster.Imaging.Operations.Converting;

namespace ImageCluster.Imaging.Tests.Operations;

public sealed class ConverterTests
{
    private const int Sector = 512;

    private sealed record Case(byte[] Bytes, List<(long End, SourceKind Kind)> Map, int Granularity, int ShardUnits, int RunUnits, int Threads, int Sparse, long TargetSize);

    private static readonly Gen<Case> Cases =
        from parts in Gen.Select(Gen.Int[1, 40], Gen.Int[0, 3]).List[1, 30]
        from granularity in Gen.OneOf(512, 1024, 4096, 16384)
        from shardUnits in Gen.Int[1, 6]
        from runUnits in Gen.Int[1, 4]
        from threads in Gen.Int[1, 4]
        from sparse in Gen.OneOf(0, 512, 4096, 6144, 65536)
        from grow in Gen.Int[-3, 5]
        from seed in Gen.Int
        select Build(parts, granularity, shardUnits, runUnits, threads, sparse, grow, seed);

    private static Case Build(List<(int Sectors, int Kind)> parts, int granularity, int shardUnits, int runUnits, int threads, int sparse, int grow, int seed)
    {
        Random random = new(seed);
        List<(long, SourceKind)> map = [];
        List<byte> bytes = [];
        foreach ((int sectors, int kind) in parts)
        {
            byte[] part = new byte[sectors * Sector];
            if (kind != 0)
            {
                for (int s = 0; s < sectors; s++)
                {
                    if (random.Next(3) != 0)
                    {
                        random.NextBytes(part.AsSpan(s * Sector, Sector));
                    }
                }
            }

            bytes.AddRange(part);
            map.Add((bytes.Count, kind == 0 ? SourceKind.Zero : SourceKind.Data));
        }

        long size = Math.Max(Sector, bytes.Count + (grow * (long)Sector * 7));
        return new Case([.. bytes], map, granularity, shardUnits, runUnits, threads, sparse, size);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0xEE)]
    public void TargetHoldsTheSourcesBytes(byte fresh) => Cases.Holds(c =>
    {
        ModelTarget target = new(c.TargetSize, c.Granularity, (long)c.Granularity * c.ShardUnits, c.Granularity * c.RunUnits, fresh);
        long progress = 0;
        Converter converter = new(new ModelSource(c.Bytes, c.Map), target, new ConvertOptions
        {
            Threads = c.Threads,
            SparseSize = c.Sparse,
            Progress = n => Interlocked.Add(ref progress, n),
        });
        converter.Run(CancellationToken.None);

        byte[] expected = new byte[c.TargetSize];
        c.Bytes.AsSpan(0, (int)Math.Min(c.Bytes.Length, c.TargetSize)).CopyTo(expected);
        Assert.True(expected.AsSpan().SequenceEqual(target.Bytes), "the target's bytes differ");
        Assert.Equal(target.Reserved.Order(), target.Reserved);
        Assert.Equal(c.TargetSize, progress);
        Assert.Equal(target.Closed.Order(), target.Published.Order());
        Assert.Equal(target.Closed.Distinct().Count(), target.Closed.Count);
    }, cases: 400);

    [Fact]
    public void ZerosThatTheSourceKnowsAreNotRead()
    {
        byte[] bytes = new byte[64 * 4096];
        ModelSource source = new(bytes, [(bytes.Length, SourceKind.Zero)]);
        ModelTarget target = new(bytes.Length, 4096, bytes.Length, 16384, fresh: 0);
        new Converter(source, target, new ConvertOptions()).Run(CancellationToken.None);
        Assert.Equal(0, source.Reads);
        Assert.Equal(0, target.WrittenRuns);
    }

    [Fact]
    public void DoneShardsAreNotDoneAgain()
    {
        byte[] bytes = Enumerable.Range(0, 16 * 4096).Select(i => (byte)(i | 1)).ToArray();
        ModelTarget target = new(bytes.Length, 4096, 4 * 4096, 4096, fresh: 0);
        Converter converter = new(new ModelSource(bytes, [(bytes.Length, SourceKind.Data)]), target, new ConvertOptions { IsShardDone = shard => shard is 0 or 2 });
        converter.Run(CancellationToken.None);
        Assert.Equal([1, 3], target.Closed.Order());
        Assert.True(target.Bytes.AsSpan(0, 4 * 4096).IndexOfAnyExcept((byte)0) < 0);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void TheFirstFailureEndsTheRunAndClosesNoUnfinishedShard(int threads)
    {
        byte[] bytes = Enumerable.Repeat((byte)7, 64 * 4096).ToArray();
        ModelTarget target = new(bytes.Length, 4096, 8 * 4096, 4096, fresh: 0)
        {
            BeforeWrite = run =>
            {
                if (run.Offset == 20 * 4096)
                {
                    throw new ImageException(ImageErrorKind.NoSpace, "target", "No space left on device");
                }
            },
        };
        Converter converter = new(new ModelSource(bytes, [(bytes.Length, SourceKind.Data)]), target, new ConvertOptions { Threads = threads });
        ImageException e = Assert.Throws<ImageException>(() => converter.Run(CancellationToken.None));
        Assert.Equal(ImageErrorKind.NoSpace, e.Kind);
        Assert.DoesNotContain(2, target.Closed);
        Assert.All(target.Closed, shard => Assert.DoesNotContain((byte)0, target.Bytes.AsSpan((int)shard * 8 * 4096, 8 * 4096).ToArray()));
    }

    [Fact]
    public void CancellationStopsBetweenRuns()
    {
        byte[] bytes = Enumerable.Repeat((byte)7, 64 * 4096).ToArray();
        using CancellationTokenSource cancel = new();
        ModelTarget target = new(bytes.Length, 4096, bytes.Length, 4096, fresh: 0) { BeforeWrite = _ => cancel.Cancel() };
        Converter converter = new(new ModelSource(bytes, [(bytes.Length, SourceKind.Data)]), target, new ConvertOptions { Threads = 2 });
        Assert.Throws<OperationCanceledException>(() => converter.Run(cancel.Token));
        Assert.True(target.WrittenRuns <= 2);
        Assert.Empty(target.Closed);
    }

    [Fact]
    public void SalvageGoesOnWithZerosWhereASectorCannotBeRead()
    {
        byte[] bytes = Enumerable.Repeat((byte)9, 16 * 4096).ToArray();
        FailingSource source = new(bytes, badOffset: (5 * 4096) + 1024);
        ModelTarget target = new(bytes.Length, 4096, bytes.Length, 65536, fresh: 0);
        List<long> reported = [];
        new Converter(source, target, new ConvertOptions
        {
            Threads = 1,
            OnReadError = (offset, _) =>
            {
                reported.Add(offset);
                return true;
            },
        }).Run(CancellationToken.None);
        bytes.AsSpan((5 * 4096) + 1024, 512).Clear();
        Assert.Equal(bytes, target.Bytes);
        Assert.Equal([(5 * 4096) + 1024L], reported);
    }

    [Fact]
    public void SourcesAreJoinedOneBehindTheOther()
    {
        byte[] a = Enumerable.Repeat((byte)1, 3 * 512).ToArray();
        byte[] b = Enumerable.Repeat((byte)2, 5 * 512).ToArray();
        ConcatenatedSource source = new([new ModelSource(a, [(a.Length, SourceKind.Data)]), new ModelSource([], []), new ModelSource(b, [(b.Length, SourceKind.Data)])]);
        ModelTarget target = new(source.VirtualSize, 512, 1024, 512, fresh: 0);
        new Converter(source, target, new ConvertOptions()).Run(CancellationToken.None);
        Assert.Equal([.. a, .. b], target.Bytes);
    }

    private sealed class FailingSource(byte[] bytes, long badOffset) : IConvertSource
    {
        public long VirtualSize => bytes.Length;

        public SourceRange Map(long offset, long length) => new(length, SourceKind.Data);

        public void Read(long offset, Span<byte> buffer)
        {
            if (badOffset >= offset && badOffset < offset + buffer.Length)
            {
                throw new ImageException(ImageErrorKind.Io, "source", "Input/output error");
            }

            bytes.AsSpan((int)offset, buffer.Length).CopyTo(buffer);
        }
    }
}
