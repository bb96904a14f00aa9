namespace ImageCluster.Imaging.Encryption.Luks;

/// <summary>A key slot of a LUKS header: where one copy of the master key stands, encrypted with a password.</summary>
internal sealed record LuksKeySlot
{
    /// <summary>QEMU and cryptsetup accept no other number of stripes.</summary>
    public const int Stripes = 4000;

    public bool IsActive { get; init; }

    /// <summary>Of PBKDF2; 0 only where the slot is not active.</summary>
    public uint Iterations { get; init; }

    /// <summary>32 bytes.</summary>
    public byte[] Salt { get; init; } = new byte[LuksHeader.SaltLength];

    /// <summary>Where the key material starts, in sectors of 512 bytes from the header's start.</summary>
    public uint Sector { get; init; }

    /// <summary>Where the key material starts, in bytes from the header's start.</summary>
    public long Offset => (long)Sector * SectorCipher.SectorLength;
}
