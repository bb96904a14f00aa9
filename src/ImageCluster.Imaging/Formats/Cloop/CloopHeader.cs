using System.Buffers.Binary;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Cloop;

/// <summary>The header of a compressed loop image, version 2: a shell script, then block size and count. Limits after block/cloop.c.</summary>
internal sealed record CloopHeader
{
    /// <summary>Where the table of block offsets stands.</summary>
    public const int TableOffset = 136;

    private const int BlockSizeAt = 128;
    private const int SectorSize = 512;
    private const uint MaxBlockSize = 64 << 20;
    private const uint MaxBlocks = (uint.MaxValue - 1) / sizeof(ulong);
    private const long MaxTableLength = 512 << 20;

    public required int BlockSize { get; init; }

    public required uint Blocks { get; init; }

    /// <summary>As much of the script as there is must be the usual one.</summary>
    public static bool HasScript(ReadOnlySpan<byte> head)
    {
        ReadOnlySpan<byte> script = "#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n"u8;
        int length = Math.Min(script.Length, head.Length);
        return length > 0 && head[..length].SequenceEqual(script[..length]);
    }

    public static CloopHeader Read(IBlockFile file, string name)
    {
        byte[] raw = new byte[TableOffset - BlockSizeAt];
        file.ReadPadded(BlockSizeAt, raw);
        uint blockSize = BinaryPrimitives.ReadUInt32BigEndian(raw);
        uint blocks = BinaryPrimitives.ReadUInt32BigEndian(raw.AsSpan(4));
        string? wrong =
            blockSize % SectorSize != 0 ? $"block_size {blockSize} must be a multiple of 512" :
            blockSize == 0 ? "block_size cannot be zero" :
            blockSize > MaxBlockSize ? $"block_size {blockSize} must be {MaxBlockSize >> 20} MB or less" :
            blocks > MaxBlocks ? $"n_blocks {blocks} must be {MaxBlocks} or less" :
            (blocks + 1L) * sizeof(ulong) > MaxTableLength ? "image requires too many offsets, try increasing block size" :
            null;
        return wrong is null
            ? new CloopHeader { BlockSize = (int)blockSize, Blocks = blocks }
            : throw new ImageException(ImageErrorKind.Corrupt, name, wrong);
    }
}
