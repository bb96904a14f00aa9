using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Operations.Verifying;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Protocols;
using ImageCluster.Work;
using ImageCluster.Work.Gathering;
using ImageCluster.Work.Targets;

namespace ImageCluster.Cli.Commands;

/// <summary>
/// <c>imagecluster digest</c>: the digest of what a guest sees of an image, whatever its format; with <c>--check</c> the proof that the targets of
/// a migration are still what they were when it ended, without their sources.
/// </summary>
internal static class DigestCommand
{
    public const string Remarks = """
        Two images have the same digest where their guests see the same disk, whatever their formats. With --check every target of a
        migration is read and compared with the digest that the report recorded, which needs no source.

        Examples:
          imagecluster digest disk.vmdk disk.qcow2
          imagecluster digest --check /var/lib/libvirt/images/.imagecluster/lab.report.json
        """;

    public static Command Create(CliHost host)
    {
        var images = new Argument<string[]>("IMAGES") { Description = "Images; each is read with its backing files.", HelpName = "IMAGE...", Arity = ArgumentArity.ZeroOrMore };
        var format = new Option<string?>("--format", "-f") { Description = "Format of the images; each is probed otherwise.", HelpName = "FORMAT" };
        var threads = new Option<int?>("--threads", "-m") { Description = "Threads [default: by the cores].", HelpName = "N" };
        var check = new Option<string?>("--check") { Description = "Check the targets of this report instead.", HelpName = "REPORT" };
        var command = new Command("digest", "Print the digest of the guest's bytes of images, or check the targets of a migration.") { images, format, threads, check };
        command.SetAction(parsed =>
        {
            string[] names = parsed.GetValue(images) ?? [];
            string? report = parsed.GetValue(check);
            if (report is null == (names.Length == 0))
            {
                throw CliException.Usage("digest needs either images or --check REPORT");
            }

            VerifyOptions options = parsed.GetValue(threads) is { } count ? new VerifyOptions { Threads = Math.Clamp(count, 1, 256) } : new VerifyOptions();
            return report is null ? Print(host, names, parsed.GetValue(format), options) : Check(host, report, options);
        });
        return command;
    }

    private static int Print(CliHost host, string[] names, string? format, VerifyOptions options)
    {
        int exitCode = ExitCode.Done;
        foreach (string name in names)
        {
            try
            {
                host.Out.WriteLine($"{Digest(ImagePath.HasProtocol(name) ? name : Appliances.EngineName(Path.GetFullPath(name, host.Directory)), format, options, host.Stop)}  {ErrorText.OneLine(name)}");
            }
            catch (ImageException e)
            {
                host.Error.WriteLine($"imagecluster: {ErrorText.Of(e)}");
                exitCode = ExitCode.SomeFailed;
            }
        }

        return exitCode;
    }

    private static int Check(CliHost host, string report, VerifyOptions options)
    {
        int exitCode = ExitCode.Done;
        foreach ((string file, string format, string digest, long? size) in Recorded(Path.GetFullPath(report, host.Directory), report))
        {
            string outcome;
            try
            {
                outcome = Digest(file, format, options, host.Stop, size) == digest ? "ok" : "CHANGED";
            }
            catch (ImageException e)
            {
                outcome = $"FAILED: {ErrorText.Of(e)}";
            }

            exitCode = outcome == "ok" ? exitCode : ExitCode.SomeFailed;
            host.Out.WriteLine($"{ErrorText.OneLine(file)}: {outcome}");
        }

        return exitCode;
    }

    private static string Digest(string file, string? format, VerifyOptions options, CancellationToken stop, long? size = null)
    {
        using LayeredDisk disk = new ChainOpener(ProtocolLocator.Standard(ProtocolSettings.Default)).Open(file, new ChainOptions
        {
            Format = format,
            References = TargetStanding.References(file),
            Options = size is { } bytes ? TargetStanding.DriverOptions(file, format, bytes) : new Dictionary<string, string>(),
        });
        return new DiskVerifier(disk, null, options).Run(stop).Digest!.Value.ToString();
    }

    private static IEnumerable<(string File, string Format, string Digest, long? Size)> Recorded(string path, string name)
    {
        JsonNode? document;
        try
        {
            document = JsonNode.Parse(File.ReadAllText(path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw CliException.Usage($"{name}: {(e is JsonException ? "not a report of a migration" : e.Message.ReplaceLineEndings(" "))}");
        }

        string? format = (document as JsonObject)?["targetFormat"]?.ToString();
        if (format is null || document!["images"] is not JsonArray images)
        {
            throw CliException.Usage($"{name}: not a report of a migration");
        }

        return images.OfType<JsonObject>()
            .Where(image => image["targetFile"] is not null && image["digest"] is not null)
            .Select(image => (image["targetFile"]!.ToString(), format, image["digest"]!.ToString(), image["virtualSize"]?.GetValue<long>()));
    }
}
