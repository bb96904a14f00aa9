using System.Buffers.Binary;
using System.Text;

namespace ImageCluster.Imaging.Encryption.Luks;

/// <summary>
/// The header of a LUKS version 1 volume (LUKS1 on-disk format specification 1.2.3, "PHDR layout"). Immutable: a change is a copy. Everything in it was
/// checked as QEMU checks it when <see cref="Read"/> returns.
/// </summary>
internal sealed record LuksHeader
{
    public const int Length = 592;
    public const int SlotCount = 8;
    public const int DigestLength = 20;
    public const int SaltLength = 32;
    public const int MagicLength = 6;

    /// <summary>Bytes that the header takes before the first key material, also the unit of a key area.</summary>
    public const int Alignment = 4096;

    private const int NameLength = 32;
    private const int UuidLength = 40;
    private const int SlotLength = 48;
    private const int FirstSlot = 208;
    private const ushort Version = 1;
    private const uint Active = 0x00AC71F3;
    private const uint Inactive = 0x0000DEAD;
    private const uint HeaderSectors = Alignment / SectorCipher.SectorLength;

    public static ReadOnlySpan<byte> Magic => [0x4C, 0x55, 0x4B, 0x53, 0xBA, 0xBE];

    /// <summary>The cipher's family, e.g. <c>aes</c>.</summary>
    public required string CipherName { get; init; }

    /// <summary>Mode and IV generator, e.g. <c>xts-plain64</c>.</summary>
    public required string CipherMode { get; init; }

    /// <summary>The hash of PBKDF2 and of the anti-forensic splitter.</summary>
    public required string HashName { get; init; }

    /// <summary>Where the payload starts, in sectors of 512 bytes from the header's start.</summary>
    public required uint PayloadSector { get; init; }

    /// <summary>Of the master key, in bytes.</summary>
    public required uint KeyLength { get; init; }

    /// <summary>20 bytes by which the right master key is known.</summary>
    public required byte[] KeyDigest { get; init; }

    public required byte[] KeyDigestSalt { get; init; }

    public required uint KeyDigestIterations { get; init; }

    public required string Uuid { get; init; }

    public required IReadOnlyList<LuksKeySlot> Slots { get; init; }

    /// <summary>Where the payload starts, in bytes from the header's start.</summary>
    public long PayloadOffset => (long)PayloadSector * SectorCipher.SectorLength;

    public int ActiveSlots => Slots.Count(static slot => slot.IsActive);

    /// <summary>Bytes of the key material of a slot, stripes and all.</summary>
    public long MaterialLength => (long)KeyLength * LuksKeySlot.Stripes;

    /// <summary>Sectors that a slot's key material takes: whole multiples of the header's.</summary>
    public static ulong MaterialSectors(uint keyLength, uint stripes = LuksKeySlot.Stripes)
    {
        ulong sectors = (((ulong)keyLength * stripes) + SectorCipher.SectorLength - 1) / SectorCipher.SectorLength;
        return (sectors + HeaderSectors - 1) / HeaderSectors * HeaderSectors;
    }

    /// <summary>The header with another key slot.</summary>
    public LuksHeader WithSlot(int index, LuksKeySlot slot)
    {
        LuksKeySlot[] slots = [.. Slots];
        slots[index] = slot;
        return this with { Slots = slots };
    }

    public static bool HasMagic(ReadOnlySpan<byte> head) => head.Length >= MagicLength + 2
        && head[..MagicLength].SequenceEqual(Magic)
        && BinaryPrimitives.ReadUInt16BigEndian(head[MagicLength..]) == Version;

    /// <summary>Reads and checks a header.</summary>
    /// <param name="bytes"><see cref="Length"/> bytes.</param>
    /// <param name="file">For messages.</param>
    public static LuksHeader Read(ReadOnlySpan<byte> bytes, string? file)
    {
        if (!bytes[..MagicLength].SequenceEqual(Magic))
        {
            throw new ImageException(ImageErrorKind.NotThisFormat, file, "Volume is not in LUKS format");
        }

        ushort version = BinaryPrimitives.ReadUInt16BigEndian(bytes[MagicLength..]);
        if (version != Version)
        {
            throw new ImageException(ImageErrorKind.Unsupported, file, $"LUKS version {version} is not supported");
        }

        LuksHeader header = new()
        {
            CipherName = Name(bytes.Slice(8, NameLength), "cipher name", file),
            CipherMode = Name(bytes.Slice(40, NameLength), "cipher mode", file),
            HashName = Name(bytes.Slice(72, NameLength), "hash spec", file),
            PayloadSector = BinaryPrimitives.ReadUInt32BigEndian(bytes[104..]),
            KeyLength = BinaryPrimitives.ReadUInt32BigEndian(bytes[108..]),
            KeyDigest = bytes.Slice(112, DigestLength).ToArray(),
            KeyDigestSalt = bytes.Slice(132, SaltLength).ToArray(),
            KeyDigestIterations = BinaryPrimitives.ReadUInt32BigEndian(bytes[164..]),
            Uuid = Text(bytes.Slice(168, UuidLength)),
            Slots = [],
        };
        if (header.PayloadSector < HeaderSectors)
        {
            throw Corrupt(file, "LUKS payload is overlapping with the header");
        }

        return header.KeyDigestIterations == 0
            ? throw Corrupt(file, "LUKS key iteration count is zero")
            : header with { Slots = ReadSlots(bytes[FirstSlot..], header, file) };
    }

    /// <summary>Writes the header over the first <see cref="Length"/> bytes of <paramref name="to"/>.</summary>
    public void Write(Span<byte> to)
    {
        to[..Length].Clear();
        Magic.CopyTo(to);
        BinaryPrimitives.WriteUInt16BigEndian(to[MagicLength..], Version);
        Encoding.ASCII.GetBytes(CipherName, to.Slice(8, NameLength));
        Encoding.ASCII.GetBytes(CipherMode, to.Slice(40, NameLength));
        Encoding.ASCII.GetBytes(HashName, to.Slice(72, NameLength));
        BinaryPrimitives.WriteUInt32BigEndian(to[104..], PayloadSector);
        BinaryPrimitives.WriteUInt32BigEndian(to[108..], KeyLength);
        KeyDigest.CopyTo(to[112..]);
        KeyDigestSalt.CopyTo(to[132..]);
        BinaryPrimitives.WriteUInt32BigEndian(to[164..], KeyDigestIterations);
        Encoding.Latin1.GetBytes(Uuid, to.Slice(168, UuidLength));
        for (int i = 0; i < SlotCount; i++)
        {
            Span<byte> slot = to.Slice(FirstSlot + (i * SlotLength), SlotLength);
            BinaryPrimitives.WriteUInt32BigEndian(slot, Slots[i].IsActive ? Active : Inactive);
            BinaryPrimitives.WriteUInt32BigEndian(slot[4..], Slots[i].Iterations);
            Slots[i].Salt.CopyTo(slot[8..]);
            BinaryPrimitives.WriteUInt32BigEndian(slot[40..], Slots[i].Sector);
            BinaryPrimitives.WriteUInt32BigEndian(slot[44..], LuksKeySlot.Stripes);
        }
    }

    private static LuksKeySlot[] ReadSlots(ReadOnlySpan<byte> bytes, LuksHeader header, string? file)
    {
        LuksKeySlot[] slots = new LuksKeySlot[SlotCount];
        for (int i = 0; i < SlotCount; i++)
        {
            ReadOnlySpan<byte> slot = bytes.Slice(i * SlotLength, SlotLength);
            slots[i] = new LuksKeySlot
            {
                IsActive = State(bytes, i) == Active,
                Iterations = BinaryPrimitives.ReadUInt32BigEndian(slot[4..]),
                Salt = slot.Slice(8, SaltLength).ToArray(),
                Sector = BinaryPrimitives.ReadUInt32BigEndian(slot[40..]),
            };
        }

        for (int i = 0; i < SlotCount; i++)
        {
            CheckSlot(slots, i, bytes, header, file);
        }

        return slots;
    }

    private static void CheckSlot(LuksKeySlot[] slots, int index, ReadOnlySpan<byte> bytes, LuksHeader header, string? file)
    {
        LuksKeySlot slot = slots[index];
        uint stripes = StripesOf(bytes, index);
        if (stripes != LuksKeySlot.Stripes)
        {
            throw Corrupt(file, $"Keyslot {index} is corrupted (stripes {(int)stripes} != {LuksKeySlot.Stripes})");
        }

        if (slot.Sector < HeaderSectors)
        {
            throw Corrupt(file, $"Keyslot {index} is overlapping with the LUKS header");
        }

        if (State(bytes, index) is not (Active or Inactive))
        {
            throw Corrupt(file, $"Keyslot {index} state (active/disable) is corrupted");
        }

        if (slot.IsActive && slot.Iterations == 0)
        {
            throw Corrupt(file, $"Keyslot {index} iteration count is zero");
        }

        ulong end = slot.Sector + MaterialSectors(header.KeyLength);
        if (end > header.PayloadSector)
        {
            throw Corrupt(file, $"Keyslot {index} is overlapping with the encrypted payload");
        }

        for (int other = index + 1; other < SlotCount; other++)
        {
            ulong start = slots[other].Sector;
            if (end > start && start + MaterialSectors(header.KeyLength, StripesOf(bytes, other)) > slot.Sector)
            {
                throw Corrupt(file, $"Keyslots {index} and {other} are overlapping in the header");
            }
        }
    }

    private static uint State(ReadOnlySpan<byte> slots, int index) => BinaryPrimitives.ReadUInt32BigEndian(slots[(index * SlotLength)..]);

    private static uint StripesOf(ReadOnlySpan<byte> slots, int index) => BinaryPrimitives.ReadUInt32BigEndian(slots[((index * SlotLength) + 44)..]);

    private static string Name(ReadOnlySpan<byte> bytes, string what, string? file) => bytes.Contains((byte)0)
        ? Text(bytes)
        : throw Corrupt(file, $"LUKS header {what} is not NUL terminated");

    private static string Text(ReadOnlySpan<byte> bytes)
    {
        int end = bytes.IndexOf((byte)0);
        return Encoding.Latin1.GetString(end < 0 ? bytes : bytes[..end]);
    }

    private static ImageException Corrupt(string? file, string message) => new(ImageErrorKind.Corrupt, file, message);
}
