using System.Buffers.Binary;

namespace ImageCluster.Imaging.Formats.Vhdx;

/// <summary>
/// One of the two headers: the one with the higher sequence number counts. Offsets and lengths in bytes.
/// </summary>
internal sealed record VhdxHeader
{
    /// <summary>Bytes that the checksum covers.</summary>
    public const int Length = 4096;

    private const ushort Version = 1;

    public ulong SequenceNumber { get; init; }

    /// <summary>New with every opening for writing.</summary>
    public Guid FileWriteId { get; init; }

    /// <summary>New before the first write that the guest could see: what a child knows its parent by.</summary>
    public Guid DataWriteId { get; init; }

    /// <summary>Entries of the log with this id are to be replayed; none where it is empty.</summary>
    public Guid LogId { get; init; }

    public ushort LogVersion { get; init; }

    public uint LogLength { get; init; }

    public ulong LogOffset { get; init; }

    /// <summary>The header, or null where it is damaged or of another version.</summary>
    public static VhdxHeader? Decode(ReadOnlySpan<byte> raw) =>
        !raw.StartsWith("head"u8) || !VhdxChecksum.IsRight(raw) || BinaryPrimitives.ReadUInt16LittleEndian(raw[66..]) != Version
            ? null
            : new VhdxHeader
            {
                SequenceNumber = BinaryPrimitives.ReadUInt64LittleEndian(raw[8..]),
                FileWriteId = new Guid(raw[16..32]),
                DataWriteId = new Guid(raw[32..48]),
                LogId = new Guid(raw[48..64]),
                LogVersion = BinaryPrimitives.ReadUInt16LittleEndian(raw[64..]),
                LogLength = BinaryPrimitives.ReadUInt32LittleEndian(raw[68..]),
                LogOffset = BinaryPrimitives.ReadUInt64LittleEndian(raw[72..]),
            };

    public byte[] Encode()
    {
        byte[] raw = new byte[Length];
        Span<byte> at = raw;
        "head"u8.CopyTo(at);
        BinaryPrimitives.WriteUInt64LittleEndian(at[8..], SequenceNumber);
        FileWriteId.TryWriteBytes(at[16..]);
        DataWriteId.TryWriteBytes(at[32..]);
        LogId.TryWriteBytes(at[48..]);
        BinaryPrimitives.WriteUInt16LittleEndian(at[64..], LogVersion);
        BinaryPrimitives.WriteUInt16LittleEndian(at[66..], Version);
        BinaryPrimitives.WriteUInt32LittleEndian(at[68..], LogLength);
        BinaryPrimitives.WriteUInt64LittleEndian(at[72..], LogOffset);
        VhdxChecksum.Seal(at);
        return raw;
    }
}
