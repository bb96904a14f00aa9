using ImageCluster.QemuImg.CommandLine;
using ImageCluster.QemuImg.Images;

namespace ImageCluster.QemuImg.Commands;

/// <summary><c>convert</c>: takes the options and checks which go together; <see cref="Conversion"/> does the work.</summary>
internal static class ConvertCommand
{
    private const int SectorSize = 512;
    private const int MaxSparseSize = 16 << 20;
    private const int MaxCoroutines = 16;

    public static readonly CommandSpec Spec = new(
        "convert",
        "[--object objectdef] [--image-opts] [--target-image-opts] [--target-is-zero] [--bitmaps] [-U] [-C] [-c] [-p] [-q] [-n] [-f fmt] " +
        "[-t cache] [-T src_cache] [-O output_fmt] [-B backing_file [-F backing_fmt]] [-o options] [-l snapshot_param] [-S sparse_size] " +
        "[-r rate_limit] [-m num_coroutines] [-W] [--salvage] filename [filename2 [...]] output_filename",
        "Copy an image, or several one behind the other, into a new image of any format.",
        [
            CommonOptions.Help,
            CommonOptions.Format,
            CommonOptions.OutputFormat,
            new('B', null, "BACKING_FILE", "the target's backing file: what it holds is not copied") { IsFile = true },
            new('C', null, null, "let the file system copy ranges where it can"),
            new('c', null, null, "compress the target's data"),
            CommonOptions.BackingFormat,
            CommonOptions.CreateOptions,
            new('l', null, "SNAPSHOT_PARAM", "convert this snapshot of the source"),
            new('s', null, "SNAPSHOT", "the old spelling of -l"),
            new('S', null, "SPARSE_SIZE", "shortest run of zeros that is left out; 0 writes all zeros"),
            CommonOptions.Progress,
            CommonOptions.Cache,
            CommonOptions.SourceCache,
            CommonOptions.Quiet,
            new('n', null, null, "write into a target that is there already"),
            new('m', null, "NUM_COROUTINES", "how many runs are under way at once, 1 to 16"),
            new('W', null, null, "write out of order"),
            CommonOptions.ForceShare,
            new('r', null, "RATE_LIMIT", "bytes a second at the most"),
            CommonOptions.Object,
            CommonOptions.ImageOptions,
            new('\0', "target-image-opts", null, "the target's name is an option string"),
            new('\0', "salvage", null, "go on after read errors, with zeros"),
            new('\0', "target-is-zero", null, "the target (of -n) reads as zeros already"),
            new('\0', "bitmaps", null, "copy persistent bitmaps too"),
            new('\0', "skip-broken-bitmaps", null, "leave out bitmaps that are inconsistent"),
        ],
        Run);

    private static int Run(CommandHost host, string[] arguments)
    {
        ConversionPlan plan = new();
        OptionText options = new();
        string? cacheName = null;
        string? sourceCacheName = null;
        bool statesSparseSize = false;
        var command = new CommandArguments(host, Spec);
        bool goOn = command.TryParse(arguments, option =>
        {
            switch (option.Key)
            {
                case "o": options.Add(option.Argument); break;
                case "t": cacheName = option.Argument; break;
                case "T": sourceCacheName = option.Argument; break;
                case "S":
                    plan.SparseSize = ParseSparseSize(host, option.Argument);
                    statesSparseSize = true;
                    break;
                default: Take(host, plan, option); break;
            }
        });
        if (!goOn)
        {
            return 0;
        }

        plan.OutputFormat ??= plan.TargetIsOptionText ? null : "raw";
        plan.Options = options.Text;
        CheckTogether(plan, statesSparseSize);
        IReadOnlyList<string> operands = command.Operands;
        if (options.AsksForHelp)
        {
            OptionHelp.Write(host, plan.OutputFormat ?? throw new CommandException("Option help requires a format be specified"),
                operands.Count > 1 ? operands[^1] : null);
            return 0;
        }

        if (operands.Count < 2)
        {
            throw new CommandException("Must specify image file name");
        }

        plan.SourceCache = CommandArguments.ParseSourceCache(sourceCacheName);
        plan.CacheName = cacheName;
        plan.SourceNames = [.. operands.Take(operands.Count - 1)];
        plan.Target = operands[^1];
        plan.Progress = command.Progress && !command.Quiet;
        plan.Quiet = command.Quiet;
        new Conversion(host, command, plan).Run();
        return 0;
    }

    private static void Take(CommandHost host, ConversionPlan plan, OptionMatch option)
    {
        switch (option.Key)
        {
            case "O": plan.OutputFormat = option.Argument; break;
            case "B": plan.BackingFile = option.Argument; break;
            case "F": plan.BackingFormat = option.Argument; break;
            case "C": plan.CopyRanges = true; break;
            case "c": plan.Compress = true; break;
            case "l": plan.Snapshot = SnapshotSelector.Parse(host, option.Argument); break;
            case "s":
                host.Warning("convert -s is an old spelling; use -l SNAPSHOT");
                plan.Snapshot = SnapshotSelector.Parse(host, option.Argument);
                break;
            case "n": plan.SkipsCreation = true; break;
            case "m": plan.Coroutines = ParseCoroutines(option.Argument); break;
            case "W": plan.OutOfOrder = true; break;
            case "r": plan.BytesPerSecond = SizeArgument.Parse(host, "rate limit", option.Argument); break;
            case "target-image-opts": plan.TargetIsOptionText = true; break;
            case "salvage": plan.Salvage = true; break;
            case "target-is-zero": plan.TargetIsZero = true; break;
            case "bitmaps": plan.Bitmaps = true; break;
            default: plan.SkipBrokenBitmaps = true; break;
        }
    }

    private static void CheckTogether(ConversionPlan plan, bool statesSparseSize)
    {
        string? complaint = plan switch
        {
            { SkipBrokenBitmaps: true, Bitmaps: false } => "Use of --skip-broken-bitmaps requires --bitmaps",
            { Compress: true, CopyRanges: true } => "Cannot enable copy offloading when -c is used",
            { CopyRanges: true } when statesSparseSize => "Cannot enable copy offloading when -S is used",
            { Salvage: true, CopyRanges: true } => "Cannot use copy offloading in salvaging mode",
            { TargetIsOptionText: true, SkipsCreation: false } => "--target-image-opts requires use of -n flag",
            { SkipsCreation: true, Options: not null } => "-o has no effect when skipping image creation",
            { TargetIsZero: true, SkipsCreation: false } => "--target-is-zero requires use of -n flag",
            _ => null,
        };
        if (complaint is not null)
        {
            throw new CommandException(complaint);
        }
    }

    private static int ParseSparseSize(CommandHost host, string text)
    {
        long bytes = SizeArgument.Parse(host, "buffer size for sparse output", text);
        return bytes % SectorSize == 0 && bytes <= MaxSparseSize
            ? (int)bytes
            : throw new CommandException(
                $"Invalid buffer size for sparse output specified. Valid sizes are multiples of {SectorSize} up to {MaxSparseSize}. " +
                "Select 0 to disable sparse detection (fully allocates output).");
    }

    private static int ParseCoroutines(string text) =>
        CInteger.TryParse(text, out long count) && count is >= 1 and <= MaxCoroutines
            ? (int)count
            : throw new CommandException($"Invalid number of coroutines. Allowed number of coroutines is between 1 and {MaxCoroutines}");
}
