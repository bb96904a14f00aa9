using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vhdx;

/// <summary>
/// What a log's entries together make of the file: for each 4 KiB sector the last change. Applied to the file when it is open for
/// writing, else shown over it by <see cref="VhdxReplayedFile"/>.
/// </summary>
internal sealed class VhdxReplay
{
    private const int SectorSize = VhdxLog.SectorSize;
    private const long MiB = 1 << 20;

    // 4 GiB of metadata, more than any image has.
    private const int MaxSectors = 1 << 20;

    private readonly VhdxLog _log;
    private readonly Dictionary<long, VhdxLogData?> _sectors = [];

    public VhdxReplay(VhdxLog log, IReadOnlyList<VhdxLogEntry> entries, string name)
    {
        _log = log;
        int changed = 0;
        foreach (VhdxLogEntry entry in entries)
        {
            foreach (VhdxLogChange change in log.ChangesOf(entry))
            {
                for (long at = 0; at < change.Length; at += SectorSize)
                {
                    _sectors[(change.FileOffset + at) / SectorSize] = change.Data;

                    // Also those that are changed again and again: a few bytes of log can ask for that.
                    if (++changed > MaxSectors)
                    {
                        throw new ImageException(ImageErrorKind.Limit, name, "VHDX log changes more than 4 GiB of the file");
                    }
                }
            }

            FileLength = Math.Max(FileLength, (Math.Min(entry.LastFileOffset, long.MaxValue - MiB) + MiB - 1) & -MiB);
        }
    }

    /// <summary>The file has at least so many bytes afterwards.</summary>
    public long FileLength { get; }

    public bool Changes(long sector) => _sectors.ContainsKey(sector);

    public void ReadSector(long sector, Span<byte> buffer)
    {
        if (_sectors[sector] is { } data)
        {
            _log.ReadData(data, buffer);
        }
        else
        {
            buffer.Clear();
        }
    }

    /// <summary>Makes the changes in the file; durable on return.</summary>
    public void Apply(IBlockFile file)
    {
        byte[] buffer = new byte[SectorSize];
        foreach (long sector in _sectors.Keys.Order())
        {
            ReadSector(sector, buffer);
            file.Write(sector * SectorSize, buffer);
        }

        if (file.Length < FileLength && file.CanResize)
        {
            file.SetLength(FileLength);
        }

        file.Flush();
    }
}
