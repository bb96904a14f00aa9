using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vhdx;

/// <summary>The pair of headers of an open image. A change goes to the one that does not count, which then counts.</summary>
internal sealed class VhdxHeaders
{
    public const long FirstAt = 64 << 10;
    public const long SecondAt = 128 << 10;

    private readonly IBlockFile _file;
    private bool _firstCounts;

    private VhdxHeaders(IBlockFile file, VhdxHeader current, bool firstCounts)
    {
        _file = file;
        _firstCounts = firstCounts;
        Current = current;
    }

    public VhdxHeader Current { get; private set; }

    public static bool HasSignature(ReadOnlySpan<byte> head) => head.StartsWith("vhdxfile"u8);

    public static VhdxHeaders Read(IBlockFile file, string name)
    {
        byte[] raw = new byte[VhdxHeader.Length];
        file.ReadPadded(0, raw.AsSpan(0, 8));
        if (!HasSignature(raw))
        {
            throw new ImageException(ImageErrorKind.NotThisFormat, name, $"Could not open '{ImagePath.ToLocal(name) ?? name}': Invalid argument");
        }

        file.ReadPadded(FirstAt, raw);
        VhdxHeader? first = VhdxHeader.Decode(raw);
        file.ReadPadded(SecondAt, raw);
        VhdxHeader? second = VhdxHeader.Decode(raw);

        // Disk2vhd writes the same header twice; two different ones of one age contradict each other.
        bool ambiguous = first is not null && second is not null && first.SequenceNumber == second.SequenceNumber && first != second;
        bool firstCounts = first is not null && (second is null || first.SequenceNumber >= second.SequenceNumber);
        VhdxHeader? current = ambiguous ? null : firstCounts ? first : second;
        return current is null
            ? throw new ImageException(ImageErrorKind.Corrupt, name, "No valid VHDX header found")
            : new VhdxHeaders(file, current, firstCounts);
    }

    /// <summary>Changes the header: both copies, one after the other, each durable before the next is touched.</summary>
    public void Update(Func<VhdxHeader, VhdxHeader> change)
    {
        UpdateOther(change(Current));
        UpdateOther(Current);
    }

    private void UpdateOther(VhdxHeader header)
    {
        header = header with { SequenceNumber = Current.SequenceNumber + 1 };
        _file.Write(_firstCounts ? SecondAt : FirstAt, header.Encode());
        _file.Flush();
        _firstCounts = !_firstCounts;
        Current = header;
    }
}
