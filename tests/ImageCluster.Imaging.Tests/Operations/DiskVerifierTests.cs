using System.Buffers.Binary;
using System.Security.Cryptography;
using CsCheck;
using ImageCluster.Testing;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Operations;
using ImageCluster.Imaging.Operations.Verifying;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Operations;

public sealed class DiskVerifierTests
{
    private const int Leaf = GuestDigest.LeafLength;

    private sealed record Case(int Sectors, List<(int At, int Length)> Runs, int Threads, int Seed);

    private static readonly Gen<Case> Cases =
        from sectors in Gen.OneOf(Gen.Int[1, 40], Gen.Int[1, 5 * Leaf / 512])
        from runs in Gen.Select(Gen.Int[0, sectors - 1], Gen.Int[1, 3000]).List[0, 6]
        from threads in Gen.Int[1, 4]
        from seed in Gen.Int
        select new Case(sectors, runs, threads, seed);

    [Fact]
    public void DigestIsThatOfTheGuestsBytesWhateverTheHoles() => Cases.Holds(c =>
    {
        byte[] bytes = Bytes(c);
        using LayeredDisk sparse = Disk(Sparse(bytes));
        using LayeredDisk full = Disk(new MemoryStore(bytes));
        VerifyResult result = new DiskVerifier(sparse, full, new VerifyOptions { Threads = c.Threads }).Run(CancellationToken.None);
        Assert.True(result.Identical);
        Assert.Equal(Naive(bytes), result.Digest.ToString());
        Assert.Equal(result, new DiskVerifier(full, null, new VerifyOptions { Threads = c.Threads }).Run(CancellationToken.None));
    }, cases: 25);

    [Fact]
    public void WithoutADigestItIsComparedOnly() => Cases.Holds(c =>
    {
        byte[] bytes = Bytes(c);
        using LayeredDisk sparse = Disk(Sparse(bytes));
        using LayeredDisk full = Disk(new MemoryStore(bytes));
        var options = new VerifyOptions { Threads = c.Threads, TakesDigest = false };
        Assert.Equal(new VerifyResult(null, null), new DiskVerifier(sparse, full, options).Run(CancellationToken.None));
        byte[] other = [.. bytes];
        other[^1] ^= 1;
        using LayeredDisk changed = Disk(new MemoryStore(other));
        Assert.Equal((bytes.Length - 1) / 512 * 512, new DiskVerifier(changed, full, options).Run(CancellationToken.None).DifferenceAt);
        Assert.Throws<ArgumentException>(() => new DiskVerifier(full, null, options));
    }, cases: 25);

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void ShardsThatAreDoneAreLeftOutAndTheOthersReportedOnce(int shardLeaves) => Cases.Holds(c =>
    {
        byte[] bytes = Bytes(c);
        long shardLength = (long)shardLeaves * Leaf;
        long shards = (bytes.Length + shardLength - 1) / shardLength;
        using LayeredDisk disk = Disk(Sparse(bytes));
        GuestDigestTree tree = new(bytes.Length);
        List<long> reported = [];
        for (int pass = 0; pass < 2; pass++)
        {
            HashSet<long> done = [.. reported];
            int half = pass;
            VerifyResult result = new DiskVerifier(disk, disk, new VerifyOptions
            {
                Threads = c.Threads,
                ShardLength = shardLength,
                IsShardDone = shard => done.Contains(shard) || shard % 2 != half,
                ShardVerified = (shard, parts) =>
                {
                    reported.Add(shard);
                    tree.Add(parts);
                },
            }).Run(CancellationToken.None);
            Assert.True(result.Identical);
            Assert.Equal(shards == 1 && pass == 0, result.Digest is not null);
        }

        Assert.Equal(Enumerable.Range(0, (int)shards).Select(i => (long)i), reported.Order());
        Assert.Equal(Naive(bytes), tree.Finish().ToString());
    }, cases: 25);

    [Fact]
    public void ShardsReadBackOneByOneGiveTheDigestOfAll() => Cases.Holds(c =>
    {
        byte[] bytes = Bytes(c);
        long shards = (bytes.Length + Leaf - 1) / Leaf;
        using LayeredDisk disk = Disk(Sparse(bytes));
        GuestDigestTree tree = new(bytes.Length);
        List<long> reported = [];
        foreach (long shard in Enumerable.Range(0, (int)shards).Reverse())
        {
            VerifyResult result = new DiskVerifier(disk, disk, new VerifyOptions
            {
                Threads = c.Threads,
                ShardLength = Leaf,
                ShardVerified = (done, parts) =>
                {
                    reported.Add(done);
                    tree.Add(parts);
                },
            }).Run(shard, shard + 1, CancellationToken.None);
            Assert.True(result.Identical);
            Assert.Equal(shard, reported[^1]);
        }

        Assert.Equal(shards, reported.Count);
        Assert.Equal(Naive(bytes), tree.Finish().ToString());
    }, cases: 25);

    [Fact]
    public void TheLowestDifferenceIsFound() => Cases.Holds(c =>
    {
        byte[] bytes = Bytes(c);
        byte[] changed = [.. bytes];
        Random random = new(c.Seed);
        int[] at = [.. Enumerable.Range(0, 3).Select(_ => random.Next(bytes.Length))];
        foreach (int i in at)
        {
            changed[i] = (byte)(bytes[i] ^ 0x40);
        }

        using LayeredDisk disk = Disk(Sparse(changed));
        using LayeredDisk source = Disk(Sparse(bytes));
        VerifyResult result = new DiskVerifier(disk, source, new VerifyOptions { Threads = c.Threads }).Run(CancellationToken.None);
        Assert.Null(result.Digest);
        Assert.Equal(at.Min() / 512 * 512, result.DifferenceAt);
    }, cases: 25);

    [Fact]
    public void ALongerDiskMustEndInZeros()
    {
        byte[] bytes = new byte[3 * Leaf];
        bytes.AsSpan(0, Leaf).Fill(7);
        using LayeredDisk source = Disk(new MemoryStore(bytes.AsSpan(0, Leaf + 512)));
        using LayeredDisk longer = Disk(new MemoryStore(bytes));
        Assert.True(new DiskVerifier(longer, source, new VerifyOptions()).Run(CancellationToken.None).Identical);
        bytes[2 * Leaf] = 1;
        using LayeredDisk written = Disk(new MemoryStore(bytes));
        Assert.Equal(2 * Leaf, new DiskVerifier(written, source, new VerifyOptions()).Run(CancellationToken.None).DifferenceAt);
    }

    [Fact]
    public void AShorterDiskDiffersWhereItEnds()
    {
        using LayeredDisk source = Disk(new MemoryStore(new byte[4096]));
        using LayeredDisk shorter = Disk(new MemoryStore(new byte[1024]));
        Assert.Equal(1024, new DiskVerifier(shorter, source, new VerifyOptions()).Run(CancellationToken.None).DifferenceAt);
    }

    [Fact]
    public void HolesAreNeitherReadNorCountedAndCostNoMemory()
    {
        MemoryStore store = new();
        store.SetLength(1L << 44);
        store.Write(5L << 40, [1]);
        using LayeredDisk disk = Disk(store);
        long read = 0;
        int throttled = 0;
        VerifyResult result = new DiskVerifier(disk, null, new VerifyOptions
        {
            Progress = bytes => Interlocked.Add(ref read, bytes),
            Throttle = bytes => Interlocked.Add(ref throttled, bytes),
        }).Run(CancellationToken.None);
        Assert.NotNull(result.Digest);
        Assert.Equal(Leaf, read);
        Assert.Equal(Leaf, throttled);
    }

    [Fact]
    public void AReadErrorAndACancellationEndIt()
    {
        using LayeredDisk disk = Disk(new MemoryStore(new byte[5 * Leaf]));
        using CancellationTokenSource cancel = new();
        VerifyOptions cancelling = new() { Threads = 2, Progress = _ => cancel.Cancel() };
        Assert.Throws<OperationCanceledException>(() => new DiskVerifier(disk, null, cancelling).Run(cancel.Token));

        ImageException failure = new(ImageErrorKind.Io, "x", "gone");
        VerifyOptions failing = new() { Threads = 3, Throttle = _ => throw failure };
        Assert.Equal("gone", Assert.Throws<ImageException>(() => new DiskVerifier(disk, null, failing).Run(CancellationToken.None)).Message);
    }

    private static byte[] Bytes(Case c)
    {
        byte[] bytes = new byte[c.Sectors * 512];
        Random random = new(c.Seed);
        foreach ((int at, int length) in c.Runs)
        {
            random.NextBytes(bytes.AsSpan(at * 512, Math.Min(length, c.Sectors - at) * 512));
        }

        return bytes;
    }

    private static MemoryStore Sparse(byte[] bytes)
    {
        MemoryStore store = new();
        store.SetLength(bytes.Length);
        for (int at = 0; at < bytes.Length; at += MemoryStore.BlockSize)
        {
            Span<byte> block = bytes.AsSpan(at, Math.Min(MemoryStore.BlockSize, bytes.Length - at));
            if (block.ContainsAnyExcept((byte)0))
            {
                store.Write(at, block);
            }
        }

        return store;
    }

    private static LayeredDisk Disk(MemoryStore store)
    {
        MemoryLocator locator = new();
        locator.Add("disk", store);
        return new ChainOpener(locator).Open("disk", new ChainOptions { Format = "raw" });
    }

    // The definition, word for word.
    private static string Naive(byte[] bytes)
    {
        int leaves = Math.Max(1, (bytes.Length + Leaf - 1) / Leaf);
        int width = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)leaves);
        byte[] padded = new byte[width * Leaf];
        bytes.CopyTo(padded, 0);
        List<byte[]> level = [.. Enumerable.Range(0, width).Select(i => SHA256.HashData(padded.AsSpan(i * Leaf, Leaf)))];
        while (level.Count > 1)
        {
            level = [.. level.Chunk(2).Select(pair => SHA256.HashData([.. pair[0], .. pair[1]]))];
        }

        byte[] size = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(size, bytes.Length);
        return "sha256t:" + Convert.ToHexStringLower(SHA256.HashData([.. "sha256t/1MiB/v1\n"u8, .. size, .. level[0]]));
    }
}
