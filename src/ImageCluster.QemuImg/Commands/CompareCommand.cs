using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Operations.Comparing;
using ImageCluster.Imaging.Storage;
using ImageCluster.QemuImg.CommandLine;
using ImageCluster.QemuImg.Images;
using ImageCluster.QemuImg.Output;

namespace ImageCluster.QemuImg.Commands;

/// <summary><c>compare</c>: tells whether two images show a guest the same disk.</summary>
internal static class CompareCommand
{
    private const int Differ = 1;
    private const int CannotOpen = 2;
    private const int CannotMap = 3;
    private const int CannotRead = 4;

    private const string SizesDiffer = "Warning: Image size mismatch!\n";

    public static readonly CommandSpec Spec = new(
        "compare",
        "[--object objectdef] [--image-opts] [-f fmt] [-F fmt] [-T src_cache] [-p] [-q] [-s] [-U] filename1 filename2",
        "Compare what a guest would see of two images.",
        [
            CommonOptions.Help,
            CommonOptions.Format,
            new('F', null, "FMT", "the second image's format") { IsFormat = true },
            CommonOptions.SourceCache,
            CommonOptions.Progress,
            CommonOptions.Quiet,
            new('s', null, null, "strict: sizes and allocation must be equal too"),
            CommonOptions.ForceShare,
            CommonOptions.Object,
            CommonOptions.ImageOptions,
        ],
        Run)
    {
        ObjectFailure = CannotOpen,
        ExitCodes = [(Differ, "the images differ"), (CannotOpen, "an image cannot be opened"), (CannotMap, "an image's metadata cannot be read"), (CannotRead, "an image's data cannot be read")],
    };

    private static int Run(CommandHost host, string[] arguments)
    {
        string? secondFormat = null;
        string? cacheName = null;
        bool strict = false;
        var command = new CommandArguments(host, Spec);
        bool goOn = command.TryParse(arguments, option =>
        {
            switch (option.Key)
            {
                case "F": secondFormat = option.Argument; break;
                case "T": cacheName = option.Argument; break;
                default: strict = true; break;
            }
        });
        if (!goOn)
        {
            return 0;
        }

        if (command.Operands is not [string firstName, string secondName])
        {
            throw new UsageException("Expecting two image file names");
        }

        TextWriter output = command.Quiet ? TextWriter.Null : host.Out;
        using ProgressMeter progress = new(host.Out, host.Errors, command.Progress && !command.Quiet, step: 2, starts: false);
        CacheMode cache = CommandArguments.ParseSourceCache(cacheName, exitCode: CannotOpen);
        OpenSettings settings = new() { Cache = cache, ForceShare = command.ForceShare };
        using LayeredDisk first = ImageOpener.Open(host, command.Image(firstName, command.Format, CannotOpen), settings, CannotOpen);
        using LayeredDisk second = ImageOpener.Open(host, command.Image(secondName, secondFormat, CannotOpen), settings, CannotOpen);
        progress.Report(0);
        long whole = Math.Max(first.VirtualSize, second.VirtualSize);
        long common = Math.Min(first.VirtualSize, second.VirtualSize);
        long done = 0;
        CompareOptions options = new()
        {
            Strict = strict,
            Progress = bytes => progress.Report(Math.Min(Interlocked.Add(ref done, bytes), common), whole),
            Threads = Parallelism.Threads(host, [first, second], []),
        };
        return Compare(host, [firstName, secondName], new Comparer(first, second, options), output, progress, first.VirtualSize == second.VirtualSize ? long.MaxValue : common);
    }

    private static int Compare(CommandHost host, string[] names, Comparer comparer, TextWriter output, ProgressMeter progress, long tail)
    {
        CompareResult result;
        try
        {
            result = comparer.Run(CancellationToken.None);
        }
        catch (ImageException e)
        {
            if (e.GuestOffset >= tail)
            {
                output.Write(SizesDiffer);
            }

            string reason = host.Reason(e);
            throw e.Access == DiskAccess.Map
                ? new CommandException($"Sector allocation test failed for {names[e.Disk]}", CannotMap)
                : new CommandException($"Error while reading offset {e.GuestOffset} of {names[e.Disk]}: {reason}", CannotRead);
        }

        if (result.SizesDiffer && result.Verdict is CompareVerdict.Identical or CompareVerdict.TailDiffers)
        {
            output.Write(SizesDiffer);
            if (result.Verdict == CompareVerdict.Identical)
            {
                progress.Report(100);
            }
        }

        switch (result.Verdict)
        {
            case CompareVerdict.Identical:
                output.Write("Images are identical.\n");
                return 0;
            case CompareVerdict.SizeDiffers:
                output.Write("Strict mode: Image size mismatch!\n");
                return Differ;
            case CompareVerdict.AllocationDiffers:
                output.Write($"Strict mode: Offset {result.Offset} block status mismatch!\n");
                return Differ;
            default:
                output.Write($"Content mismatch at offset {result.Offset}!\n");
                return Differ;
        }
    }
}
