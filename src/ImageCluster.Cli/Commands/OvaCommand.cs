using System.CommandLine;
using System.Text.Json;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Archives;
using ImageCluster.Imaging.Storage.Protocols;
using ImageCluster.Work;

namespace ImageCluster.Cli.Commands;

/// <summary><c>imagecluster ova</c>: what is in an appliance, and whether it is what its manifest of digests says.</summary>
internal static class OvaCommand
{
    public const string Remarks = """
        Nothing is unpacked. A disk is then named ova:FILE#DISK, by its file or its number, wherever an image is named; 'migrate' takes the
        disks of the appliances that it finds.

        Examples:
          imagecluster ova web.ova
          imagecluster ova --verify https://images.example/web.ova
          imagecluster img convert -O qcow2 ova:web.ova#1 web.qcow2
        """;

    public static Command Create(CliHost host)
    {
        var file = new Argument<string>("FILE") { Description = "The appliance: a file, or an address." };
        var verify = new Option<bool>("--verify") { Description = "Read every file and compare it with the manifest of digests." };
        var json = new Option<bool>("--json") { Description = "Print JSON." };
        var command = new Command("ova", "List the disks of an appliance (OVA), or verify it.") { file, verify, json };
        command.SetAction(parsed => Run(host, parsed.GetValue(file)!, parsed.GetValue(verify), parsed.GetValue(json)));
        return command;
    }

    private static int Run(CliHost host, string name, bool verify, bool json)
    {
        string opened = ImagePath.HasProtocol(name) ? name : Path.GetFullPath(name, host.Directory);
        using IBlockFile file = ProtocolLocator.Standard(ProtocolSettings.Default).Open(opened, new OpenMode { Lock = ImageLock.None });
        OvaArchive ova = OvaArchive.Read(file);
        IReadOnlyList<OvaFinding> findings = verify ? OvaVerifier.Verify(file, ova, host.Stop) : [];
        if (json)
        {
            WriteJson(host.Out, ova, verify ? findings : null);
        }
        else
        {
            WriteText(host.Out, name, ova, findings);
        }

        return findings.All(static finding => finding.Verdict == OvaVerdict.Good) ? ExitCode.Done : ExitCode.SomeFailed;
    }

    private static void WriteText(TextWriter output, string name, OvaArchive ova, IReadOnlyList<OvaFinding> findings)
    {
        output.WriteLine($"appliance: {ErrorText.OneLine(name)}");
        output.WriteLine($"name: {ErrorText.OneLine(ova.SystemName ?? "-")}");
        output.WriteLine($"disks: {ova.Disks.Count}");
        foreach (OvaDisk disk in ova.Disks)
        {
            string capacity = disk.Capacity is { } bytes ? $", disk of {bytes:#,0} bytes" : "";
            string obstacle = disk.Obstacle is null ? "" : $", {disk.Obstacle}: cannot be read in place";
            output.WriteLine($"  {disk.Number}  {ErrorText.OneLine(disk.Entry.Name)}  ({disk.Entry.Length:#,0} bytes{capacity}{obstacle})");
        }

        foreach (OvaFinding finding in findings)
        {
            output.WriteLine($"{ErrorText.OneLine(finding.Name)}: {Word(finding)}");
        }
    }

    private static string Word(OvaFinding finding) => finding.Verdict switch
    {
        OvaVerdict.Good => $"ok ({finding.Algorithm})",
        OvaVerdict.Different => $"DIFFERS from its digest ({finding.Algorithm})",
        OvaVerdict.Missing => "MISSING from the archive",
        _ => "NOT NAMED by the manifest",
    };

    private static void WriteJson(TextWriter output, OvaArchive ova, IReadOnlyList<OvaFinding>? findings)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            writer.WriteStartObject();
            writer.WriteString("name", ova.SystemName);
            writer.WriteStartArray("disks");
            foreach (OvaDisk disk in ova.Disks)
            {
                writer.WriteStartObject();
                writer.WriteNumber("number", disk.Number);
                writer.WriteString("id", disk.Id);
                writer.WriteString("file", disk.Entry.Name);
                writer.WriteNumber("offset", disk.Entry.Offset);
                writer.WriteNumber("length", disk.Entry.Length);
                WriteOptional(writer, "capacity", disk.Capacity);
                writer.WriteString("format", disk.Format);
                writer.WriteString("obstacle", disk.Obstacle);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            if (findings is not null)
            {
                writer.WriteStartArray("verified");
                foreach (OvaFinding finding in findings)
                {
                    writer.WriteStartObject();
                    writer.WriteString("file", finding.Name);
                    writer.WriteString("algorithm", finding.Algorithm);
                    writer.WriteString("verdict", JsonNamingPolicy.KebabCaseLower.ConvertName(finding.Verdict.ToString()));
                    writer.WriteEndObject();
                }

                writer.WriteEndArray();
            }

            writer.WriteEndObject();
        }

        output.WriteLine(System.Text.Encoding.UTF8.GetString(buffer.ToArray()));
    }

    private static void WriteOptional(Utf8JsonWriter writer, string name, long? value)
    {
        if (value is { } number)
        {
            writer.WriteNumber(name, number);
        }
        else
        {
            writer.WriteNull(name);
        }
    }
}
