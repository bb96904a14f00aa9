using System.Security.Cryptography;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Encryption.Luks;

/// <summary>
/// The LUKS header of a volume and its key slots, in an area of a file: the whole of it for a LUKS image, some clusters for qcow2. Unlocked it holds
/// the master key. Reading is safe from any number of threads, changing key slots is for one.
/// </summary>
internal sealed class LuksVolume : IDisposable
{
    private const string Outside = "Request for data outside of extension header";

    private readonly IBlockFile _file;
    private readonly long _start;
    private readonly LuksCipher _cipher;
    private byte[]? _masterKey;

    private LuksVolume(IBlockFile file, long start, LuksHeader header, LuksCipher cipher)
    {
        _file = file;
        _start = start;
        _cipher = cipher;
        Header = header;
    }

    public LuksHeader Header { get; private set; }

    public bool IsUnlocked => _masterKey is not null;

    public CipherSpec Cipher => _cipher.Cipher;

    public DigestAlgorithm Digest => _cipher.Digest;

    /// <summary>Reads and checks the header. The keys stay locked.</summary>
    /// <param name="file">The file that holds it; not owned.</param>
    /// <param name="start">Where in the file it starts, in bytes.</param>
    /// <param name="length">Bytes from there on that belong to header and key slots; <see cref="long.MaxValue"/> where only the header says.</param>
    /// <param name="unfinished">The header lacks its magic, as <see cref="Create"/> leaves it until <see cref="Complete"/>.</param>
    public static LuksVolume Open(IBlockFile file, long start, long length, bool unfinished = false)
    {
        if (length < LuksHeader.Length)
        {
            throw new ImageException(ImageErrorKind.Corrupt, file.Name, Outside);
        }

        Span<byte> bytes = stackalloc byte[LuksHeader.Length];
        file.ReadPadded(start, bytes);
        if (unfinished)
        {
            LuksHeader.Magic.CopyTo(bytes);
        }

        LuksHeader header = LuksHeader.Read(bytes, file.Name);
        LuksCipher cipher = LuksCipher.Of(header, file.Name);
        return header.Slots.Any(slot => slot.IsActive && slot.Offset + header.MaterialLength > length)
            ? throw new ImageException(ImageErrorKind.Corrupt, file.Name, Outside)
            : new LuksVolume(file, start, header, cipher);
    }

    /// <summary>Makes a volume with a new random master key and the password in key slot 0, and writes it.</summary>
    /// <param name="file">The file that is to hold it; not owned.</param>
    /// <param name="start">Where in the file it starts, in bytes.</param>
    /// <param name="settings">What encrypts.</param>
    /// <param name="password">Of key slot 0.</param>
    /// <param name="unfinished">Leave the header without its magic, so that nobody takes the file for a volume before <see cref="Complete"/>.</param>
    public static LuksVolume Create(IBlockFile file, long start, LuksSettings settings, ReadOnlySpan<byte> password, bool unfinished = false)
    {
        int keyLength = settings.Cipher.KeyLength;
        byte[] masterKey = RandomNumberGenerator.GetBytes(keyLength);
        byte[] salt = RandomNumberGenerator.GetBytes(LuksHeader.SaltLength);
        byte[] digest = new byte[LuksHeader.DigestLength];

        // An eighth of the time, as QEMU and cryptsetup do: the digest is computed for each slot that is tried.
        uint iterations = KeyStretching.IterationsFor(settings.Digest, digest.Length, settings.Milliseconds, 8, file.Name);
        settings.Digest.DeriveKey(masterKey, salt, (int)iterations, digest);
        uint materialSectors = (uint)LuksHeader.MaterialSectors((uint)keyLength);
        LuksHeader header = new()
        {
            CipherName = settings.Cipher.Algorithm.Family,
            CipherMode = settings.ModeText,
            HashName = settings.Digest.Name,
            PayloadSector = (uint)(settings.HeaderLength / SectorCipher.SectorLength),
            KeyLength = (uint)keyLength,
            KeyDigest = digest,
            KeyDigestSalt = salt,
            KeyDigestIterations = iterations,
            Uuid = Guid.NewGuid().ToString(),
            Slots = [.. Enumerable.Range(0, LuksHeader.SlotCount).Select(i => new LuksKeySlot
            {
                Sector = (LuksHeader.Alignment / SectorCipher.SectorLength) + ((uint)i * materialSectors),
            })],
        };
        LuksVolume volume = new(file, start, header, new LuksCipher(settings.Cipher, settings.Digest)) { _masterKey = masterKey };
        volume.StoreKey(0, password, settings.Milliseconds);
        volume.WriteHeader(withMagic: !unfinished);
        return volume;
    }

    /// <summary>Finds the master key by a password that any of the key slots knows.</summary>
    /// <exception cref="ImageException">
    /// <see cref="ImageErrorKind.Secret"/>: none knows it; <see cref="ImageErrorKind.Limit"/>: finding out takes more than <see cref="KeyStretching.MaxRounds"/>.
    /// </exception>
    public void Unlock(ReadOnlySpan<byte> password)
    {
        byte[] key = new byte[Header.KeyLength];
        long rounds = 0;
        for (int slot = 0; slot < LuksHeader.SlotCount; slot++)
        {
            rounds += Header.Slots[slot].IsActive ? RequireBearable(slot, rounds) : 0;
            if (TryOpenSlot(slot, password, key))
            {
                _masterKey = key;
                return;
            }
        }

        throw new ImageException(ImageErrorKind.Secret, _file.Name, "Invalid password, cannot unlock any keyslot");
    }

    /// <summary>True where a key slot is active and knows the password.</summary>
    public bool Knows(int slot, ReadOnlySpan<byte> password)
    {
        if (Header.Slots[slot].IsActive)
        {
            RequireBearable(slot, 0);
        }

        Span<byte> key = stackalloc byte[(int)Header.KeyLength];
        bool knows = TryOpenSlot(slot, password, key);
        CryptographicOperations.ZeroMemory(key);
        return knows;
    }

    /// <summary>What encrypts the payload; the volume must be unlocked.</summary>
    public SectorCipher CreateCipher() => new(Cipher, MasterKey);

    /// <summary>Puts the master key, under a password, into a key slot, overwriting what it holds. The volume must be unlocked.</summary>
    /// <param name="slot">0 to 7.</param>
    /// <param name="password">The new password.</param>
    /// <param name="milliseconds">How long unlocking it should take.</param>
    public void SetKey(int slot, ReadOnlySpan<byte> password, ulong milliseconds)
    {
        StoreKey(slot, password, milliseconds);

        // The header makes the slot valid: not before its key is on stable storage.
        _file.Flush();
        WriteHeader(withMagic: true);
        _file.Flush();
    }

    /// <summary>Makes a key slot's key unrecoverable.</summary>
    public void EraseKey(int slot)
    {
        Header = Header.WithSlot(slot, Header.Slots[slot] with { IsActive = false, Iterations = 0, Salt = new byte[LuksHeader.SaltLength] });
        WriteHeader(withMagic: true);
        _file.Flush();
        _file.Write(_start + Header.Slots[slot].Offset, RandomNumberGenerator.GetBytes((int)Header.MaterialLength));
        _file.Flush();
    }

    /// <summary>Writes the header with its magic.</summary>
    public void Complete() => WriteHeader(withMagic: true);

    public void Dispose()
    {
        if (_masterKey is not null)
        {
            CryptographicOperations.ZeroMemory(_masterKey);
            _masterKey = null;
        }
    }

    // Whole sectors, as cryptsetup reads and writes them: 24 bytes times 4,000 stripes end within one. (QEMU fails an assertion there.)
    private long MaterialRoom => (Header.MaterialLength + SectorCipher.SectorLength - 1) & -SectorCipher.SectorLength;

    private byte[] MasterKey => _masterKey ?? throw new InvalidOperationException("The volume is locked.");

    private void WriteHeader(bool withMagic)
    {
        Span<byte> bytes = stackalloc byte[LuksHeader.Length];
        Header.Write(bytes);
        if (!withMagic)
        {
            bytes[..LuksHeader.MagicLength].Clear();
        }

        _file.Write(_start, bytes);
    }

    private bool TryOpenSlot(int index, ReadOnlySpan<byte> password, Span<byte> masterKey)
    {
        LuksKeySlot slot = Header.Slots[index];
        if (!slot.IsActive)
        {
            return false;
        }

        _cipher.RequireUsable(_file.Name);
        byte[] material = new byte[MaterialRoom];
        _file.ReadPadded(_start + slot.Offset, material);
        using (SectorCipher cipher = CreateSlotCipher(slot, password))
        {
            cipher.Decrypt(0, material);
        }

        AntiForensicSplitter.Merge(Digest, material.AsSpan(0, (int)Header.MaterialLength), masterKey);
        CryptographicOperations.ZeroMemory(material);
        Span<byte> digest = stackalloc byte[LuksHeader.DigestLength];
        Digest.DeriveKey(masterKey, Header.KeyDigestSalt, (int)Header.KeyDigestIterations, digest);
        return CryptographicOperations.FixedTimeEquals(digest, Header.KeyDigest);
    }

    private void StoreKey(int index, ReadOnlySpan<byte> password, ulong milliseconds)
    {
        _cipher.RequireUsable(_file.Name);
        LuksKeySlot slot = Header.Slots[index] with
        {
            IsActive = true,
            Iterations = KeyStretching.IterationsFor(Digest, (int)Header.KeyLength, milliseconds, 1, _file.Name),
            Salt = RandomNumberGenerator.GetBytes(LuksHeader.SaltLength),
        };
        byte[] material = new byte[MaterialRoom];
        AntiForensicSplitter.Split(Digest, MasterKey, material.AsSpan(0, (int)Header.MaterialLength));
        using (SectorCipher cipher = CreateSlotCipher(slot, password))
        {
            cipher.Encrypt(0, material);
        }

        _file.Write(_start + slot.Offset, material);
        Header = Header.WithSlot(index, slot);
    }

    private SectorCipher CreateSlotCipher(LuksKeySlot slot, ReadOnlySpan<byte> password)
    {
        Span<byte> key = stackalloc byte[(int)Header.KeyLength];
        Digest.DeriveKey(Passwords.Trim(password), slot.Salt, (int)slot.Iterations, key);
        SectorCipher cipher = new(Cipher, key);
        CryptographicOperations.ZeroMemory(key);
        return cipher;
    }

    // The rounds that trying a key slot takes; refused where they are too many together with those that were taken before.
    private long RequireBearable(int slot, long before)
    {
        long rounds = KeyStretching.Rounds(Header.Slots[slot].Iterations, Digest, (int)Header.KeyLength)
            + KeyStretching.Rounds(Header.KeyDigestIterations, Digest, LuksHeader.DigestLength);
        return before + rounds <= KeyStretching.MaxRounds
            ? rounds
            : throw new ImageException(ImageErrorKind.Limit, _file.Name,
                $"Keyslot {slot} asks for {Header.Slots[slot].Iterations} PBKDF iterations (and {Header.KeyDigestIterations} for the digest), more than the limit of {KeyStretching.MaxRounds} rounds for all that are tried");
    }
}
