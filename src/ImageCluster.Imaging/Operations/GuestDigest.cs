using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Numerics;

namespace ImageCluster.Imaging.Operations;

/// <summary>
/// A digest of the guest's bytes that does not depend on the format, on the order of the work or on how it was cut: two images have
/// the same one where their guests see the same disk. Written <c>sha256t:</c> and 64 hexadecimal digits.
/// <para>
/// A leaf is SHA-256 of 1 MiB of the guest's bytes, the last one filled up with zeros. A node of level k+1 is SHA-256 of the 64 bytes
/// of its two children of level k; leaves behind the disk's end count as zeros. The top is the lowest level at which one node
/// covers the disk. The digest is SHA-256 of the 16 ASCII bytes <c>sha256t/1MiB/v1\n</c>, the disk's size in bytes (8 bytes,
/// big-endian) and the top's 32 bytes.
/// </para>
/// <para>
/// Ranges of zeros have known hashes at each level (<see cref="ZeroNode"/>), so holes cost nothing, and an aligned range of 2^k MiB
/// is told by one hash, so shards are hashed apart and put together in any order.
/// </para>
/// </summary>
public readonly record struct GuestDigest
{
    /// <summary>Bytes of the guest's disk that a leaf covers.</summary>
    public const int LeafLength = 1 << 20;

    /// <summary>The highest level there is: a disk of 2^63-1 bytes has 2^43 leaves.</summary>
    public const int MaxLevel = 43;

    private const string Prefix = "sha256t:";

    private static readonly ImmutableArray<GuestHash> ZeroNodes = MakeZeroNodes();

    private readonly GuestHash _value;

    private GuestDigest(GuestHash value) => _value = value;

    /// <summary>The hash of a node of <paramref name="level"/> (0 to <see cref="MaxLevel"/>; 0 is a leaf) over nothing but zeros.</summary>
    public static GuestHash ZeroNode(int level) => ZeroNodes[level];

    /// <summary>The level of the node that covers a disk of <paramref name="virtualSize"/> bytes.</summary>
    public static int TopLevel(long virtualSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(virtualSize);
        long leaves = LeafCount(virtualSize);
        return leaves <= 1 ? 0 : 64 - BitOperations.LeadingZeroCount((ulong)(leaves - 1));
    }

    /// <summary>Leaves of a disk, the last of which may be cut short by the disk's end.</summary>
    public static long LeafCount(long virtualSize) => virtualSize / LeafLength + (virtualSize % LeafLength == 0 ? 0 : 1);

    /// <summary>The digest of a disk of <paramref name="virtualSize"/> bytes whose top node is <paramref name="top"/>.</summary>
    public static GuestDigest FromTop(long virtualSize, GuestHash top)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(virtualSize);
        Span<byte> root = stackalloc byte[16 + 8 + GuestHash.Length];
        "sha256t/1MiB/v1\n"u8.CopyTo(root);
        BinaryPrimitives.WriteInt64BigEndian(root[16..], virtualSize);
        top.CopyTo(root[24..]);
        return new GuestDigest(GuestHash.Of(root));
    }

    /// <summary>Reads the text form; false for anything else.</summary>
    public static bool TryParse(string? text, out GuestDigest digest)
    {
        digest = default;
        if (text is null || text.Length != Prefix.Length + 2 * GuestHash.Length || !text.StartsWith(Prefix, StringComparison.Ordinal))
        {
            return false;
        }

        Span<byte> bytes = stackalloc byte[GuestHash.Length];
        if (Convert.FromHexString(text.AsSpan(Prefix.Length), bytes, out _, out _) != System.Buffers.OperationStatus.Done)
        {
            return false;
        }

        digest = new GuestDigest(new GuestHash(bytes));
        return true;
    }

    public override string ToString() => Prefix + _value;

    /// <summary>The node of <paramref name="level"/> that starts at leaf <paramref name="leaf"/>, from parts sorted by where they start; gaps are zeros.</summary>
    /// <exception cref="ArgumentException">Parts overlap, or one reaches out of the node.</exception>
    internal static GuestHash Fold(ReadOnlySpan<GuestDigestPart> parts, long leaf, int level)
    {
        if (parts.IsEmpty)
        {
            return ZeroNode(level);
        }

        if (parts[0].Level >= level || level == 0)
        {
            return parts.Length == 1 && parts[0].Level == level && parts[0].Leaf == leaf
                ? parts[0].Hash
                : throw new ArgumentException($"Parts of the digest overlap at offset {(UInt128)leaf * LeafLength:#,0}.", nameof(parts));
        }

        long middle = leaf + (1L << (level - 1));
        int split = 0;
        while (split < parts.Length && parts[split].Leaf < middle)
        {
            split++;
        }

        return GuestHash.Join(Fold(parts[..split], leaf, level - 1), Fold(parts[split..], middle, level - 1));
    }

    private static ImmutableArray<GuestHash> MakeZeroNodes()
    {
        var nodes = new GuestHash[MaxLevel + 1];
        // SHA-256 of 1 MiB of zeros, written out so that starting up does not hash a mebibyte.
        nodes[0] = new GuestHash(Convert.FromHexString("30e14955ebf1352266dc2ff8067e68104607e750abb9d3b36582b8af909fcb58"));
        for (int level = 1; level <= MaxLevel; level++)
        {
            nodes[level] = GuestHash.Join(nodes[level - 1], nodes[level - 1]);
        }

        return ImmutableArray.Create(nodes);
    }
}
