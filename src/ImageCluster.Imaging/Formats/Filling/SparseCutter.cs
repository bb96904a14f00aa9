using System.Numerics;
using ImageCluster.Imaging.Extents;

namespace ImageCluster.Imaging.Formats.Filling;

/// <summary>
/// Cuts a run into the parts that must be written and the zeros that need not be, with the meaning of <c>qemu-img convert -S</c>: the
/// unit is the larger of the target's granularity and the sparse size (rounded down to a power of two); a unit is left out when it
/// is all zeros, unless the run of such units is shorter than the sparse size and stands between data.
/// </summary>
public static class SparseCutter
{
    /// <summary>
    /// Adds a data piece to <see cref="FillRun.Pieces"/> for each stretch to be written, in order, and a zero piece for what lies between
    /// where <see cref="FillRun.StateZeroes"/> asks for it.
    /// </summary>
    /// <param name="run">A run that holds data.</param>
    /// <param name="granularity">The target's, in bytes, a power of two.</param>
    public static void Cut(FillRun run, int granularity)
    {
        if (run.SparseSize <= 0)
        {
            AddData(run, 0, run.Length);
            return;
        }

        ReadOnlySpan<byte> data = run.Data;
        int unit = Math.Max(granularity, 1 << BitOperations.Log2((uint)run.SparseSize));
        int dataStart = -1;
        int dataEnd = 0;

        // The first unit may be cut short, so that all others start at multiples of the unit in the guest.
        int length = Math.Min(data.Length, unit - (int)(run.Offset & (unit - 1)));
        for (int at = 0; at < data.Length; at += length, length = Math.Min(unit, data.Length - at))
        {
            if (ZeroScan.IsZero(data.Slice(at, length)))
            {
                continue;
            }

            if (dataStart >= 0 && at - dataEnd >= Math.Max(1, run.SparseSize))
            {
                AddData(run, dataStart, dataEnd - dataStart);
                dataStart = -1;
            }

            if (dataStart < 0)
            {
                AddZero(run, dataEnd, at - dataEnd);
                dataStart = at;
            }

            dataEnd = at + length;
        }

        if (dataStart >= 0)
        {
            AddData(run, dataStart, dataEnd - dataStart);
        }

        AddZero(run, dataEnd, data.Length - dataEnd);
    }

    private static void AddZero(FillRun run, int start, int length)
    {
        if (run.StateZeroes && length > 0)
        {
            run.Pieces.Add(new FillPiece { Kind = FillPieceKind.Zero, Start = start, Length = length });
        }
    }

    private static void AddData(FillRun run, int start, int length) =>
        run.Pieces.Add(new FillPiece { Kind = FillPieceKind.Data, Start = start, Length = length, PayloadStart = start, PayloadLength = length });
}
