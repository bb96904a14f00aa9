using System.Numerics;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats.BlockTables;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vhdx;

/// <summary>A VHDX open for reading: fixed, dynamic or differencing.</summary>
internal class VhdxReader : BlockMapReader, ICheckable, IImageStatus, IVerifiesParent
{
    private readonly VhdxMetadata _metadata;
    private readonly VhdxBlockMap _table;
    private VhdxLogState _logState;

    protected VhdxReader(OpenContext context, VhdxMetadata metadata, VhdxBlockMap table, VhdxLogState logState)
        : base(context, table, metadata.DiskSize, holesAreZero: false)
    {
        _metadata = metadata;
        _table = table;
        _logState = logState;
        Backing = metadata.Parent is { } parent ? new BackingReference(ParentLocator.Choose(context, parent.Paths), FormatName) : null;
    }

    public override string FormatName => "vhdx";

    /// <summary>QEMU does not read a differencing disk at all: of that we tell what we know.</summary>
    public bool TellsPlaces => Backing is not null;

    public override BackingReference? Backing { get; }

    public static VhdxReader Open(OpenContext context)
    {
        try
        {
            return OpenFile(context);
        }
        catch
        {
            context.File.Dispose();
            throw;
        }
    }

    public void VerifyParent(IImageLayer parent)
    {
        if (_metadata.Parent is { } named && !(parent is VhdxReader disk && named.DataWriteIds.Contains(disk._table.DataWriteId)))
        {
            throw new ImageException(ImageErrorKind.Corrupt, FileName,
                $"Parent '{parent.FileName}' is not the disk that this one was made on, or was changed since: its data write id is not {string.Join(" or ", named.DataWriteIds)}");
        }
    }

    /// <summary>Entries that are wrong are findings; a log that had to be replayed first is one that is repaired, or to be repaired.</summary>
    public CheckReport Check(CheckRepair repair)
    {
        CheckReport report = new();
        if (_logState == VhdxLogState.Replayed)
        {
            // Told once, as something that is mended, not as something that is wrong.
            report.CorruptionsFixed++;
            _logState = VhdxLogState.Empty;
        }
        else if (_logState == VhdxLogState.ReplayedInMemory)
        {
            report.Corruptions++;
            report.Say("ERROR the log needs to be replayed");
        }

        _table.Verify(strict: true, finding =>
        {
            report.Corruptions++;
            report.Say(finding);
        });
        return report;
    }

    /// <summary>In a block that is partially present the sector bitmap says of each sector whether it is here or in the parent.</summary>
    protected override Extent Look(long offset, long length)
    {
        Extent found = base.Look(offset, length);
        long block = offset / Blocks.BlockSize;
        if (_metadata.Parent is null || found.Kind != ExtentKind.Data || !_table.IsPartial(block))
        {
            return found;
        }

        int sectorSize = _metadata.LogicalSectorSize;
        long within = offset - block * Blocks.BlockSize;
        int sector = (int)(within / sectorSize);
        int last = (int)((within + found.Length - 1) / sectorSize);
        bool here = IsHere(block, sector);
        int end = sector + 1;
        while (end <= last && IsHere(block, end) == here)
        {
            end++;
        }

        length = Math.Min(found.Length, end * (long)sectorSize - within);
        return here ? found with { Length = length } : new Extent(offset, length, ExtentKind.Absent);
    }

    private static VhdxReader OpenFile(OpenContext context)
    {
        VhdxHeaders headers = VhdxHeaders.Read(context.File, context.FileName);
        (IBlockFile file, VhdxLogState logState) = ReplayLog(context, headers);
        VhdxRegions regions = VhdxRegions.Read(file, context.FileName, headers.Current);
        VhdxMetadata metadata = VhdxMetadata.Read(file, context.FileName, regions.Metadata);
        VhdxBlockMap table = new(file, context.FileName, headers, metadata, regions);
        if (!context.ForCheck)
        {
            table.Verify(strict: context.Write, finding => throw new ImageException(ImageErrorKind.Corrupt, context.FileName, finding));
        }

        OpenContext replayed = context with { File = file };
        if (!context.Write)
        {
            return new VhdxReader(replayed, metadata, table, logState);
        }

        return metadata.Parent is null
            ? new VhdxWriter(replayed, metadata, table, logState)
            : throw new ImageException(ImageErrorKind.Unsupported, context.FileName, "Differencing VHDX images can be read, not written");
    }

    private static (IBlockFile File, VhdxLogState State) ReplayLog(OpenContext context, VhdxHeaders headers)
    {
        VhdxLog log = new(context.File, context.FileName, headers.Current);
        IReadOnlyList<VhdxLogEntry> entries = log.MayHoldEntries ? log.Find() : [];
        if (context.Write)
        {
            log.RequireRoom();
        }

        if (entries.Count == 0)
        {
            return (context.File, VhdxLogState.Empty);
        }

        VhdxReplay replay = new(log, entries, context.FileName);
        if (!context.Write)
        {
            return (new VhdxReplayedFile(context.File, replay), VhdxLogState.ReplayedInMemory);
        }

        replay.Apply(context.File);
        Guid session = Guid.NewGuid();
        headers.Update(header => header with { LogId = Guid.Empty, FileWriteId = session });
        return (context.File, VhdxLogState.Replayed);
    }

    private bool IsHere(long block, int sector) =>
        (BitOperations.RotateRight(_table.BitmapWord(block, sector / 64), sector % 64) & 1) == 1;
}

/// <summary>What became of the log on opening.</summary>
internal enum VhdxLogState
{
    Empty,
    ReplayedInMemory,
    Replayed,
}
