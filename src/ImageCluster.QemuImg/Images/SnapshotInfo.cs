using System.Globalization;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;
using ImageCluster.QemuImg.Output;

namespace ImageCluster.QemuImg.Images;

/// <summary>Internal snapshots as <c>info</c> and <c>snapshot -l</c> print them.</summary>
internal sealed class SnapshotInfo(ImageSnapshot snapshot)
{
    private const ulong Billion = 1_000_000_000;

    public static IReadOnlyList<SnapshotInfo> Of(IImageLayer layer) =>
        layer is ISnapshots holder ? [.. holder.ListSnapshots().Select(static s => new SnapshotInfo(s))] : [];

    public QDict ToJson() => new()
    {
        { "id", snapshot.Id },
        { "name", snapshot.Name },
        { "vm-state-size", (long)snapshot.VmStateSize },
        { "date-sec", snapshot.DateSeconds },
        { "date-nsec", (long)snapshot.DateNanoseconds },
        { "vm-clock-sec", (long)(snapshot.VmClockNanoseconds / Billion) },
        { "vm-clock-nsec", (long)(snapshot.VmClockNanoseconds % Billion) },
        { "icount", snapshot.InstructionCount is { } count ? (long)count : null },
    };

    /// <summary>Prints the list with its head.</summary>
    public static void WriteList(TextWriter output, IEnumerable<SnapshotInfo> snapshots)
    {
        output.Write("Snapshot list:\nID        TAG               VM SIZE                DATE     VM CLOCK     ICOUNT\n");
        foreach (SnapshotInfo snapshot in snapshots)
        {
            snapshot.Write(output);
        }
    }

    private void Write(TextWriter output)
    {
        string date = LocalTime.Text(snapshot.DateSeconds);
        ulong seconds = snapshot.VmClockNanoseconds / Billion;
        string clock = $"{seconds / 3600:00}:{seconds / 60 % 60:00}:{seconds % 60:00}.{snapshot.VmClockNanoseconds / 1_000_000 % 1000:000}";
        string count = snapshot.InstructionCount?.ToString(CultureInfo.InvariantCulture) ?? "";
        output.Write($"{Padded(snapshot.Id, 9)} {Padded(snapshot.Name, 16)} {SizeText.Of((long)snapshot.VmStateSize),8}{date,20}{clock,13}{count,11}\n");
    }

    // C counts bytes.
    private static string Padded(string text, int width) => text + new string(' ', Math.Max(0, width - NameText.GetByteCount(text)));
}
