using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Tests.Formats.BlockTables;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Structures;

/// <summary>A part of an image's file that its format gives a name.</summary>
/// <param name="Name">As the format calls it.</param>
/// <param name="Start">Its first byte.</param>
/// <param name="Length">In bytes.</param>
internal sealed record Structure(string Name, int Start, int Length)
{
    public int End => Start + Length;
}

/// <summary>A field that says where in the file something lies.</summary>
/// <param name="Field">Where it stands.</param>
/// <param name="ValueOf">What it says of a place in the file; null where it cannot say that.</param>
internal sealed record Pointer(Field Field, Func<int, ulong?> ValueOf)
{
    /// <summary>A pointer that counts in units from a place on.</summary>
    public static Pointer In(Field field, int unit, int from = 0) =>
        new(field, place => place >= from && (place - from) % unit == 0 ? (ulong)((place - from) / unit) : null);
}

/// <summary>
/// What a format's images are made of: every structure, every size, offset and count, every pointer and what checksums cover. Made of a small
/// image that has each of them.
/// </summary>
internal sealed record StructureMap
{
    /// <summary>The format by name.</summary>
    public required string Format { get; init; }

    /// <summary>The file that is damaged.</summary>
    public required byte[] Image { get; init; }

    /// <summary>What the guest sees of it.</summary>
    public required byte[] Guest { get; init; }

    public required IReadOnlyList<Structure> Structures { get; init; }

    /// <summary>Sizes, offsets, counts, versions and flags.</summary>
    public IReadOnlyList<Field> Fields { get; init; } = [];

    public IReadOnlyList<Pointer> Pointers { get; init; } = [];

    /// <summary>What a checksum covers, copies among it.</summary>
    public IReadOnlyList<Structure> Sealed { get; init; } = [];

    /// <summary>Makes the checksums right again after a change.</summary>
    public Func<byte[], byte[]> Reseal { get; init; } = static image => image;

    /// <summary>Files that stand beside it, by name. It is "image" itself.</summary>
    public IReadOnlyDictionary<string, byte[]> Others { get; init; } = new Dictionary<string, byte[]>();

    /// <summary>The file by which it is opened.</summary>
    public string Top { get; init; } = "image";

    /// <summary>False where QEMU cannot read it, or not without more being said.</summary>
    public bool IsForQemu { get; init; } = true;

    /// <summary>Numbers that ask for work, up to a limit: at random they would make a test slow.</summary>
    public IReadOnlyList<Field> Slow { get; init; } = [];

    /// <summary>True where a file may end within a sector, which then is what it is: resizing leaves such files.</summary>
    public bool MayEndWithinASector { get; init; }

    /// <summary>Opens it among the files that belong to it; null for the format's own way.</summary>
    public Func<MemoryLocator, bool, bool, LayeredDisk>? Opener { get; init; }

    public LayeredDisk Open(byte[] image, bool write = false, bool forCheck = false)
    {
        MemoryLocator files = new();
        files.Add("image", Sparse(image));
        foreach ((string name, byte[] content) in Others)
        {
            files.Add(name, Sparse(content));
        }

        return Opener?.Invoke(files, write, forCheck) ?? new FormatKit(Format, files).Open(Top, write, forCheck);
    }

    /// <summary>Must be opened, read, checked, repaired and written to with nothing but clear errors.</summary>
    public ImageException? Survive(byte[] image, string what, byte[]? guest = null) => DamagedImages.Survive(
        (write, forCheck) => Open(image, write, forCheck), image.Length + Others.Values.Sum(static other => (long)other.Length), $"{Format}: {what}", guest);

    // Zeros need not be copied each time.
    private static MemoryStore Sparse(byte[] content)
    {
        const int Piece = 64 << 10;
        MemoryStore store = new();
        for (int at = 0; at < content.Length; at += Piece)
        {
            ReadOnlySpan<byte> piece = content.AsSpan(at, Math.Min(Piece, content.Length - at));
            if (piece.ContainsAnyExcept((byte)0))
            {
                store.Write(at, piece);
            }
        }

        store.SetLength(content.Length);
        return store;
    }
}
