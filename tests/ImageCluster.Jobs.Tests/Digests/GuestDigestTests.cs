using System.Buffers.Binary;
using System.Security.Cryptography;
using CsCheck;
using ImageCluster.Testing;
using ImageCluster.Imaging.Operations;

namespace ImageCluster.Jobs.Tests.Digests;

public class GuestDigestTests
{
    private const int Leaf = GuestDigest.LeafLength;

    [Fact]
    public void Zero_nodes_are_what_hashing_zeros_gives()
    {
        byte[] expected = SHA256.HashData(new byte[Leaf]);
        for (int level = 0; level <= GuestDigest.MaxLevel; level++)
        {
            Assert.Equal(expected, GuestDigest.ZeroNode(level).ToArray());
            expected = SHA256.HashData([.. expected, .. expected]);
        }
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 0)]
    [InlineData(Leaf, 0)]
    [InlineData(Leaf + 1, 1)]
    [InlineData(3L * Leaf, 2)]
    [InlineData(1L << 40, 20)]
    [InlineData((1L << 40) + 1, 21)]
    [InlineData(long.MaxValue, 43)]
    public void Top_level(long size, int level) => Assert.Equal(level, GuestDigest.TopLevel(size));

    [Fact]
    public void Text_form_reads_back_and_nothing_else_does()
    {
        GuestDigest digest = new GuestDigestTree(1L << 40).Finish();
        // Fixed forever: reports of old migrations are compared with it.
        Assert.Equal("sha256t:a46f87a4a4f9c618c36ff6bcf16b7d0d0c50758c3934a93b2c0bab1449ae49fb", digest.ToString());
        Assert.True(GuestDigest.TryParse(digest.ToString(), out GuestDigest read));
        Assert.Equal(digest, read);
        foreach (string? text in (string?[])[null, "", "sha256:" + new string('0', 64), digest.ToString()[..^1], digest + "0", "sha256t:" + new string('g', 64)])
        {
            Assert.False(GuestDigest.TryParse(text, out _));
        }
    }

    [Fact]
    public void The_size_counts() =>
        Assert.Equal(4, new HashSet<GuestDigest>([Empty(0), Empty(1), Empty(Leaf), Empty(Leaf + 1)]).Count);

    [Fact]
    public void An_empty_disk_of_any_size_costs_nothing()
    {
        Assert.Equal(Empty(1L << 60), Whole([new GuestDigestShard(0, 1L << 60, 1L << 60)], 1L << 60));
        Assert.NotEqual(Empty(long.MaxValue), Empty(long.MaxValue - 1));
    }

    /// <summary>Disks of a few leaves with holes, cut into shards of any length, leaves set in any order, parts added in any order.</summary>
    [Fact]
    public void However_the_work_is_cut_the_digest_is_that_of_the_plain_definition() =>
        Gen.Select(Gen.Int[1, 19], Gen.Int[-3, 0], Gen.ULong, Gen.Int[1, 8], Gen.Int).Holds((leaves, shorter, dataMask, shardLeaves, seed) =>
        {
            long size = (long)leaves * Leaf + shorter;
            byte[] disk = Disk(size, dataMask);
            var random = new Random(seed);
            var parts = new List<GuestDigestPart>();
            for (long start = 0; start < size; start += (long)shardLeaves * Leaf)
            {
                var shard = new GuestDigestShard(start, Math.Min((long)shardLeaves * Leaf, size - start), size);
                long end = Math.Min(size, start + (long)shardLeaves * Leaf);
                long[] offsets = [.. Enumerable.Range(0, shardLeaves).Select(i => start + (long)i * Leaf).Where(offset => offset < end)];
                random.Shuffle(offsets);
                foreach (long offset in offsets.Where(offset => Holds(dataMask, offset)))
                {
                    shard.SetLeaf(offset, HashLeaf(disk, offset, random));
                }

                IReadOnlyList<GuestDigestPart> closed = shard.Close();
                Assert.True(shardLeaves is not (1 or 2 or 4 or 8) || closed.Count == 1);
                parts.AddRange(closed);
            }

            GuestDigestPart[] shuffled = [.. parts, parts[0]];
            random.Shuffle(shuffled);
            var tree = new GuestDigestTree(size);
            tree.Add(shuffled);
            Assert.Equal(Reference(disk), tree.Finish().ToString());
        }, cases: 30);

    [Fact]
    public void Large_offsets_fold_as_small_ones_do()
    {
        long size = 1L << 50;
        GuestHash hash = GuestHash.Of("leaf"u8);
        var near = new GuestDigestShard(size - (512L << 20), 512L << 20, size);
        near.SetLeaf(size - Leaf, hash);
        var far = new GuestDigestShard(0, size, size);
        far.SetLeaf(size - Leaf, hash);
        Assert.Equal(Whole([near], size), Whole([far], size));
        Assert.NotEqual(Whole([near], size), Empty(size));
    }

    [Fact]
    public void Parts_that_contradict_each_other_are_refused()
    {
        GuestHash a = GuestHash.Of("a"u8);
        var tree = new GuestDigestTree(8L * Leaf);
        tree.Add(new GuestDigestPart(0, 1, a));
        Assert.Throws<ArgumentException>(() => tree.Add(new GuestDigestPart(0, 1, GuestDigest.ZeroNode(1))));
        Assert.Throws<ArgumentException>(() => tree.Add(new GuestDigestPart(1, 1, a)));
        tree.Add(new GuestDigestPart(1, 0, a));
        Assert.Throws<ArgumentException>(() => tree.Finish());

        var past = new GuestDigestTree(8L * Leaf);
        past.Add(new GuestDigestPart(8, 0, a));
        Assert.Throws<ArgumentException>(() => past.Finish());
    }

    [Fact]
    public void Shards_must_cover_whole_leaves()
    {
        Assert.Throws<ArgumentException>(() => new GuestDigestShard(1, Leaf, 10L * Leaf));
        Assert.Throws<ArgumentException>(() => new GuestDigestShard(0, Leaf - 1, 10L * Leaf));
        Assert.Throws<ArgumentOutOfRangeException>(() => new GuestDigestShard(Leaf, Leaf, Leaf));
        var shard = new GuestDigestShard(Leaf, Leaf + 1, 2 * Leaf + 1);
        Assert.Throws<ArgumentOutOfRangeException>(() => shard.SetLeaf(0, default));
        Assert.Throws<ArgumentOutOfRangeException>(() => shard.SetLeaf(Leaf + 1, default));
        Assert.Throws<ArgumentOutOfRangeException>(() => shard.SetLeaf(3L * Leaf, default));
        shard.SetLeaf(2L * Leaf, default);
    }

    private static GuestDigest Empty(long size) => new GuestDigestTree(size).Finish();

    private static GuestDigest Whole(IEnumerable<GuestDigestShard> shards, long size)
    {
        var tree = new GuestDigestTree(size);
        tree.Add(shards.SelectMany(shard => shard.Close()));
        return tree.Finish();
    }

    private static bool Holds(ulong dataMask, long offset) => (dataMask >> (int)(offset / Leaf) & 1) != 0;

    // Cheap data: each leaf that holds something has a few bytes at its ends and in the middle.
    private static byte[] Disk(long size, ulong dataMask)
    {
        byte[] disk = new byte[size];
        for (long offset = 0; offset < size; offset += Leaf)
        {
            if (Holds(dataMask, offset))
            {
                long last = Math.Min(size, offset + Leaf) - 1;
                disk[offset] = (byte)(1 + offset / Leaf);
                disk[(offset + last) / 2] ^= 0x55;
                disk[last] ^= 0xaa;
            }
        }

        return disk;
    }

    // In pieces, with runs of zeros said as zeros.
    private static GuestHash HashLeaf(byte[] disk, long offset, Random random)
    {
        using var hasher = new GuestLeafHasher();
        _ = hasher.Finish();
        int end = (int)Math.Min(disk.Length, offset + Leaf);
        for (int at = (int)offset; at < end;)
        {
            int length = Math.Min(end - at, random.Next(1, 400_000));
            Span<byte> piece = disk.AsSpan(at, length);
            if (piece.ContainsAnyExcept((byte)0))
            {
                hasher.Append(piece);
            }
            else
            {
                hasher.AppendZeroes(length);
            }

            at += length;
        }

        return hasher.Finish();
    }

    // The definition, word for word.
    private static string Reference(byte[] disk)
    {
        var level = new List<byte[]>();
        for (int offset = 0; offset < disk.Length; offset += Leaf)
        {
            byte[] leaf = new byte[Leaf];
            disk.AsSpan(offset, Math.Min(Leaf, disk.Length - offset)).CopyTo(leaf);
            level.Add(SHA256.HashData(leaf));
        }

        while ((level.Count & (level.Count - 1)) != 0)
        {
            level.Add(SHA256.HashData(new byte[Leaf]));
        }

        while (level.Count > 1)
        {
            level = [.. level.Chunk(2).Select(pair => SHA256.HashData([.. pair[0], .. pair[1]]))];
        }

        byte[] size = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(size, disk.Length);
        return "sha256t:" + Convert.ToHexStringLower(SHA256.HashData([.. "sha256t/1MiB/v1\n"u8, .. size, .. level[0]]));
    }
}
