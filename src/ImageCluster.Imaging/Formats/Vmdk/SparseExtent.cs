using ImageCluster.Imaging.Extents;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>An extent of grains that a grain directory finds: hosted sparse, stream-optimized, vmfsSparse and seSparse.</summary>
internal sealed class SparseExtent : VmdkExtent
{
    private readonly long _grainsPerTable;

    /// <param name="start">Guest offset, bytes.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="directory">Where the grains are.</param>
    /// <param name="grainBytes">Bytes of a grain.</param>
    /// <param name="compressed">How to inflate grains; null where they are stored as they are.</param>
    /// <param name="lineType">The type that the descriptor's line states.</param>
    public SparseExtent(long start, long length, GrainDirectory directory, long grainBytes, CompressedGrains? compressed, string lineType)
        : base(start, length, directory.File, lineType)
    {
        Directory = directory;
        GrainBytes = grainBytes;
        Grains = compressed;
        _grainsPerTable = directory.EntriesPerTable;
    }

    /// <summary>What kind of extent it is, for messages.</summary>
    public string KindName { get; init; } = "sparse";

    /// <summary>The header of a hosted sparse extent; null for other kinds.</summary>
    public SparseHeader? Header { get; init; }

    /// <summary>The grain directory stands at the file's end, behind the grains, with a footer that says where.</summary>
    public bool IsStream { get; init; }

    public GrainDirectory Directory { get; }

    public override long GrainBytes { get; }

    public override bool Compressed => Grains is not null;

    /// <summary>How to inflate grains; null where they are stored as they are.</summary>
    public CompressedGrains? Grains { get; }

    public override Extent Map(long offset, long length)
    {
        long inside = offset - Start;
        long grain = inside / GrainBytes;
        long table = grain / _grainsPerTable;
        if (Directory.Find(table) is not { } entries)
        {
            long tableBytes = _grainsPerTable * GrainBytes;
            long missing = Directory.CountMissing(table, VmdkLimits.DivideUp(inside + length, tableBytes) - table);
            return new Extent(offset, Math.Min(length, ((table + missing) * tableBytes) - inside), ExtentKind.Absent);
        }

        int entry = (int)(grain % _grainsPerTable);
        long host = entries[entry];
        if (host == GrainTable.Invalid)
        {
            throw new ImageException(ImageErrorKind.Corrupt, File!.Name, $"Grain table entry of the grain at offset {offset:#,0} is invalid");
        }

        long known = GrainBytes - (inside % GrainBytes);
        if (Grains is not null && GrainTable.IsOffset(host))
        {
            return new Extent(offset, Math.Min(length, known), ExtentKind.Compressed, File, host);
        }

        bool data = GrainTable.IsOffset(host);
        for (long next = host; known < length && ++entry < entries.Count; known += GrainBytes)
        {
            next = data ? next + GrainBytes : host;
            if (entries[entry] != next)
            {
                break;
            }
        }

        known = Math.Min(known, length);
        return data
            ? new Extent(offset, known, ExtentKind.Data, File, host + (inside % GrainBytes))
            : new Extent(offset, known, host == GrainTable.Zero ? ExtentKind.Zero : ExtentKind.Absent);
    }

    public override void Read(in Extent extent, Span<byte> buffer)
    {
        if (Grains is null)
        {
            ReadPayload(File!, extent.HostOffset, buffer);
        }
        else
        {
            Grains.Read(extent.HostOffset, (int)((extent.Start - Start) % GrainBytes), buffer);
        }
    }
}
