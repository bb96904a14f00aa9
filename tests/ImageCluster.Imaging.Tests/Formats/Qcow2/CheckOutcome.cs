using System.Text.Json;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Qcow2;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2;

/// <summary>What a check, by qemu-img or by us, says of an image: the counts of its JSON output and the exit code.</summary>
internal sealed record CheckOutcome
{
    public int ExitCode { get; init; }

    public long CheckErrors { get; init; }

    public long Corruptions { get; init; }

    public long CorruptionsFixed { get; init; }

    public long Leaks { get; init; }

    public long LeaksFixed { get; init; }

    public long TotalClusters { get; init; }

    public long AllocatedClusters { get; init; }

    public long FragmentedClusters { get; init; }

    public long CompressedClusters { get; init; }

    public long ImageEndOffset { get; init; }

    /// <summary>The check itself failed: there are no counts to compare.</summary>
    public static CheckOutcome Failed { get; } = new() { ExitCode = 1 };

    public static CheckOutcome OfQemu(string path, CheckRepair repair, out string messages)
    {
        string[] flags = repair switch
        {
            CheckRepair.None => [],
            CheckRepair.Leaks => ["-r", "leaks"],
            _ => ["-r", "all"],
        };
        ToolResult result = QemuTools.TryImg(["check", "-f", "qcow2", "--output=json", .. flags, path]);
        messages = result.Error;
        if (result.Output.Length == 0)
        {
            Assert.Equal(1, result.ExitCode);
            return Failed;
        }

        JsonElement json = JsonDocument.Parse(result.Output).RootElement;
        return new CheckOutcome
        {
            ExitCode = result.ExitCode,
            CheckErrors = Field("check-errors"),
            Corruptions = Field("corruptions"),
            CorruptionsFixed = Field("corruptions-fixed"),
            Leaks = Field("leaks"),
            LeaksFixed = Field("leaks-fixed"),
            TotalClusters = Field("total-clusters"),
            AllocatedClusters = Field("allocated-clusters"),
            FragmentedClusters = Field("fragmented-clusters"),
            CompressedClusters = Field("compressed-clusters"),
            ImageEndOffset = Field("image-end-offset"),
        };

        long Field(string name) => json.TryGetProperty(name, out JsonElement value) ? value.GetInt64() : 0;
    }

    public static CheckOutcome Ours(string path, CheckRepair repair, out string messages)
    {
        List<string> lines = [];
        messages = "";
        try
        {
            using IImageLayer image = new Qcow2Format().Open(new OpenContext
            {
                File = Qcow2TestImages.Locator.Open(path, repair == CheckRepair.None ? OpenMode.ReadOnly : OpenMode.ReadWrite),
                FileName = path,
                Locator = Qcow2TestImages.Locator,
                Mode = repair == CheckRepair.None ? OpenMode.ReadOnly : OpenMode.ReadWrite,
                ForCheck = true,
            });
            CheckReport report = ((ICheckable)image).Check(repair);
            lines.AddRange(report.Messages);
            (long corruptionsFixed, long leaksFixed) = (report.CorruptionsFixed, report.LeaksFixed);
            if (report.Failure is null && corruptionsFixed + leaksFixed > 0)
            {
                report = ((ICheckable)image).Check(CheckRepair.None);
                lines.AddRange(report.Messages);
            }

            messages = string.Concat(lines.Select(line => line + "\n"));
            if (report.Failure is not null)
            {
                messages += $"Check failed: {report.Failure}\n";
                return Failed;
            }

            return new CheckOutcome
            {
                ExitCode = report.CheckErrors > 0 ? 1 : report.Corruptions > 0 ? 2 : report.Leaks > 0 ? 3 : 0,
                CheckErrors = report.CheckErrors,
                Corruptions = report.Corruptions,
                CorruptionsFixed = corruptionsFixed,
                Leaks = report.Leaks,
                LeaksFixed = leaksFixed,
                TotalClusters = report.TotalClusters,
                AllocatedClusters = report.AllocatedClusters,
                FragmentedClusters = report.FragmentedClusters,
                CompressedClusters = report.CompressedClusters,
                ImageEndOffset = report.ImageEndOffset,
            };
        }
        catch (ImageException e)
        {
            messages += $"{e.Kind}: {e.Message}\n";
            return Failed;
        }
    }
}
