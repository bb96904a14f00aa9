using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;
using ImageCluster.QemuImg.CommandLine;
using ImageCluster.QemuImg.Images;
using ImageCluster.QemuImg.Output;

namespace ImageCluster.QemuImg.Commands;

/// <summary><c>check</c>: looks for leaks and errors in an image's metadata, and repairs them.</summary>
internal static class CheckCommand
{
    public static readonly CommandSpec Spec = new(
        "check",
        "[--object objectdef] [--image-opts] [-q] [-f fmt] [--output=ofmt] [-r [leaks | all]] [-T src_cache] [-U] filename",
        "Check an image's metadata, and repair it where asked to.",
        [
            CommonOptions.Help,
            CommonOptions.LongFormat,
            new('r', "repair", "leaks | all", "repair leaks only, or everything") { Values = ["leaks", "all"] },
            CommonOptions.Output,
            CommonOptions.SourceCache,
            CommonOptions.Quiet,
            CommonOptions.Object,
            CommonOptions.ImageOptions,
            CommonOptions.ForceShare,
        ],
        Run)
    {
        ExitCodes = [(1, "not completed"), (2, "the image is corrupted"), (3, "the image has leaked clusters"), (63, "the format has no check")],
    };

    private static int Run(CommandHost host, string[] arguments)
    {
        CheckRepair repair = CheckRepair.None;
        string? cacheName = null;
        var command = new CommandArguments(host, Spec);
        bool goOn = command.TryParse(arguments, option =>
        {
            if (option.Key == "r")
            {
                repair = ParseRepair(option.Argument);
            }
            else
            {
                cacheName = option.Argument;
            }
        });
        if (!goOn)
        {
            return 0;
        }

        if (command.Operands is not [string name])
        {
            throw new UsageException("Expecting one image file name");
        }

        bool json = command.ParseOutput();
        CacheMode cache = CommandArguments.ParseSourceCache(cacheName);
        ImageReference image = command.Image(name);
        OpenSettings settings = new() { Write = repair != CheckRepair.None, Cache = cache, ForceShare = command.ForceShare, ForCheck = true };
        using LayeredDisk disk = ImageOpener.Open(host, image, settings);
        if (disk.Top is not ICheckable checkable)
        {
            throw new CommandException("This image format does not support checks", exitCode: 63);
        }

        TextWriter output = command.Quiet ? TextWriter.Null : host.Out;
        return Check(host, checkable, repair, output, json, name, disk.Top.FormatName);
    }

    private static CheckRepair ParseRepair(string text) => text switch
    {
        "leaks" => CheckRepair.Leaks,
        "all" => CheckRepair.All,
        _ => throw new UsageException($"Unknown option value for -r (expecting 'leaks' or 'all'): {text}"),
    };

    private static int Check(CommandHost host, ICheckable image, CheckRepair repair, TextWriter output, bool json, string name, string format)
    {
        CheckReport report = RunCheck(host, image, repair);
        if (report.CorruptionsFixed > 0 || report.LeaksFixed > 0)
        {
            (long corruptionsFixed, long leaksFixed) = (report.CorruptionsFixed, report.LeaksFixed);
            if (!json)
            {
                output.Write("The following inconsistencies were found and repaired:\n\n");
                output.Write($"    {leaksFixed} leaked clusters\n    {corruptionsFixed} corruptions\n\nDouble checking the fixed image now...\n");
            }

            report = RunCheck(host, image, CheckRepair.None);
            report.CorruptionsFixed = corruptionsFixed;
            report.LeaksFixed = leaksFixed;
        }

        if (json)
        {
            QemuJson.Write(output, ToJson(report, name, format));
            output.Write('\n');
        }
        else
        {
            WriteHuman(output, report);
        }

        if (report.CheckErrors > 0)
        {
            throw new CommandException("Check failed");
        }

        return report.Corruptions > 0 ? 2 : report.Leaks > 0 ? 3 : 0;
    }

    private static CheckReport RunCheck(CommandHost host, ICheckable image, CheckRepair repair)
    {
        try
        {
            CheckReport report = image.Check(repair);
            report.Messages.ForEach(message => host.Errors.Write(message + "\n"));
            if (report.FailureCause is not null)
            {
                host.Error(report.FailureCause);
                host.Errors.Write(report.FailureHint is { } hint ? hint + "\n" : "");
            }

            return report.Failure is null ? report : throw new CommandException($"Check failed: {report.Failure}");
        }
        catch (ImageException e) when (e.Kind == ImageErrorKind.Unsupported)
        {
            throw new CommandException(e.Message, exitCode: 63);
        }
        catch (ImageException e)
        {
            throw new CommandException($"Check failed: {e.Message}") { Hint = ImageOpener.HintText(e) };
        }
    }

    private static QDict ToJson(CheckReport report, string name, string format) => new()
    {
        { "filename", name },
        { "format", format },
        { "check-errors", report.CheckErrors },
        { "image-end-offset", NonZero(report.ImageEndOffset) },
        { "corruptions", NonZero(report.Corruptions) },
        { "leaks", NonZero(report.Leaks) },
        { "corruptions-fixed", NonZero(report.CorruptionsFixed) },
        { "leaks-fixed", NonZero(report.LeaksFixed) },
        { "total-clusters", NonZero(report.TotalClusters) },
        { "allocated-clusters", NonZero(report.AllocatedClusters) },
        { "fragmented-clusters", NonZero(report.FragmentedClusters) },
        { "compressed-clusters", NonZero(report.CompressedClusters) },
    };

    private static long? NonZero(long count) => count == 0 ? null : count;

    private static void WriteHuman(TextWriter output, CheckReport report)
    {
        if (report.Corruptions == 0 && report.Leaks == 0 && report.CheckErrors == 0)
        {
            output.Write("No errors were found on the image.\n");
        }

        if (report.Corruptions > 0)
        {
            output.Write($"\n{report.Corruptions} errors were found on the image.\n");
            output.Write("Data may be corrupted, or further writes to the image may corrupt it.\n");
        }

        if (report.Leaks > 0)
        {
            output.Write($"\n{report.Leaks} leaked clusters were found on the image.\nThis means waste of disk space, but no harm to data.\n");
        }

        if (report.CheckErrors > 0)
        {
            output.Write($"\n{report.CheckErrors} internal errors have occurred during the check.\n");
        }

        if (report.TotalClusters > 0 && report.AllocatedClusters > 0)
        {
            output.Write(
                $"{report.AllocatedClusters}/{report.TotalClusters} = {Percent(report.AllocatedClusters, report.TotalClusters)}% allocated, " +
                $"{Percent(report.FragmentedClusters, report.AllocatedClusters)}% fragmented, " +
                $"{Percent(report.CompressedClusters, report.AllocatedClusters)}% compressed clusters\n");
        }

        if (report.ImageEndOffset > 0)
        {
            output.Write($"Image end offset: {report.ImageEndOffset}\n");
        }
    }

    private static string Percent(long part, long whole) => CNumber.Fixed(part * 100.0 / whole, 2);
}
