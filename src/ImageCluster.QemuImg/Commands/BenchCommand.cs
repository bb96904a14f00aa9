using System.Diagnostics;
using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Operations;
using ImageCluster.Imaging.Storage;
using ImageCluster.QemuImg.CommandLine;
using ImageCluster.QemuImg.Images;
using ImageCluster.QemuImg.Output;

namespace ImageCluster.QemuImg.Commands;

/// <summary><c>bench</c>: times a sequence of requests to an image.</summary>
internal static class BenchCommand
{
    private const string InvalidDepth = "Invalid queue depth specified";

    public static readonly CommandSpec Spec = new(
        "bench",
        "[-c count] [-d depth] [-f fmt] [--flush-interval=flush_interval] [-i aio] [-n] [--no-drain] [-o offset] [--pattern=pattern] [-q] " +
        "[-s buffer_size] [-S step_size] [-t cache] [-w] [-U] filename",
        "Time a sequence of reads or writes.",
        [
            CommonOptions.Help,
            new('\0', "flush-interval", "FLUSH_INTERVAL", "flush after so many writes"),
            new('\0', "pattern", "PATTERN", "byte to write, 0 to 255"),
            new('\0', "no-drain", null, "flush without waiting for writes under way"),
            CommonOptions.ImageOptions,
            CommonOptions.ForceShare,
            new('c', null, "COUNT", "how many requests"),
            new('d', null, "DEPTH", "how many requests at once"),
            CommonOptions.Format,
            new('i', null, "AIO", "threads, native or io_uring: taken for compatibility") { Values = ["threads", "native", "io_uring"] },
            new('n', null, null, "native AIO: taken for compatibility, needs -t none or directsync"),
            new('o', null, "OFFSET", "guest offset of the first request"),
            CommonOptions.Quiet,
            new('s', null, "BUFFER_SIZE", "bytes of a request"),
            new('S', null, "STEP_SIZE", "bytes from one request's start to the next's"),
            CommonOptions.Cache,
            new('w', null, null, "write"),
        ],
        Run);

    private static int Run(CommandHost host, string[] arguments)
    {
        BenchPlan plan = new();
        CacheMode cache = CacheMode.Writeback;
        bool isNative = false;
        long step = 0;
        var command = new CommandArguments(host, Spec);
        bool goOn = command.TryParse(arguments, option =>
        {
            string text = option.Argument;
            switch (option.Key)
            {
                case "flush-interval": plan = plan with { FlushInterval = ParseNumber(text, int.MaxValue, "Invalid flush interval specified") }; break;
                case "pattern": plan = plan with { Pattern = (byte)ParseNumber(text, byte.MaxValue, "Invalid pattern byte specified") }; break;
                case "no-drain": plan = plan with { Drains = false }; break;
                case "c": plan = plan with { Count = ParseNumber(text, int.MaxValue, "Invalid request count specified") }; break;
                case "d": plan = plan with { Depth = ParseNumber(text, int.MaxValue, InvalidDepth) }; break;
                case "i": isNative |= ParseAio(text); break;
                case "n": isNative = true; break;
                case "o": plan = plan with { Offset = SizeArgument.Parse(host, "offset", text) }; break;
                case "s": plan = plan with { Length = (int)SizeArgument.Parse(host, "buffer size", text, 0, int.MaxValue) }; break;
                case "S": step = SizeArgument.Parse(host, "step_size", text, 0, int.MaxValue); break;
                case "t": cache = CacheModes.Parse(text) ?? throw new CommandException("Invalid cache mode"); break;
                default: plan = plan with { Writes = true }; break;
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

        plan = plan with { Step = step > 0 ? step : plan.Length };
        Check(plan);
        OpenSettings settings = new() { Write = plan.Writes, Cache = cache, ForceShare = command.ForceShare, NativeAio = isNative };
        using LayeredDisk disk = ImageOpener.Open(host, command.Image(name), settings);
        if (plan.Depth == 0 && plan.Count > 0)
        {
            // qemu-img waits for ever for requests that it does not send.
            throw new CommandException(InvalidDepth);
        }

        Run(host, disk, plan);
        return 0;
    }

    private static void Run(CommandHost host, LayeredDisk disk, BenchPlan plan)
    {
        TextWriter output = host.Out;
        output.Write(
            $"Sending {plan.Count} {(plan.Writes ? "write" : "read")} requests, {plan.Length} bytes each, " +
            $"{plan.Depth} in parallel (starting at offset {plan.Offset}, step size {plan.Step})\n");
        if (plan.FlushInterval > 0)
        {
            output.Write($"Sending flush every {(plan.Drains ? "" : "undrained ")}{plan.FlushInterval} requests\n");
        }

        long started = Stopwatch.GetTimestamp();
        try
        {
            using Bench bench = new(disk, plan);
            bench.Run();
        }
        catch (ImageException e)
        {
            output.Flush();
            throw new CommandException($"Failed request: {host.Reason(e)}");
        }

        output.Write($"Run completed in {CNumber.Fixed(Stopwatch.GetElapsedTime(started).TotalSeconds, 3)} seconds.\n");
    }

    private static void Check(BenchPlan plan)
    {
        if (!plan.Writes && plan.FlushInterval > 0)
        {
            throw new CommandException("--flush-interval is only available in write tests");
        }

        if (plan.FlushInterval > 0 && plan.FlushInterval < plan.Depth)
        {
            throw new CommandException("Flush interval can't be smaller than depth");
        }
    }

    private static int ParseNumber(string text, int most, string complaint) =>
        CInteger.TryParse(text, out long number) && number >= 0 && number <= most ? (int)number : throw new CommandException(complaint);

    private static bool ParseAio(string text) => text switch
    {
        "native" => true,
        "threads" or "io_uring" => false,
        _ => throw new CommandException($"Invalid aio option: {text}"),
    };
}
