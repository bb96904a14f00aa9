using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Http;
using ImageCluster.Testing.Nbd;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Conformance;

/// <summary>Runs cases: the same inputs in two directories, qemu-img in one, ours in the other, and everything that comes of it compared.</summary>
public sealed partial class Sandbox : IDisposable
{
    private readonly TempDirectory _root = new();
    private readonly Inputs _inputs;
    private int _count;

    public Sandbox() => _inputs = new Inputs(_root.Path);

    public void Dispose() => _root.Dispose();

    /// <summary>Runs a case and returns the differences, a block of text each; none where all is the same.</summary>
    public List<string> Differences(ConformanceCase test)
    {
        string theirs = Path.Combine(_root.Path, $"case-{_count}", "t");
        string ours = Path.Combine(_root.Path, $"case-{_count++}", "o");
        _inputs.CopyTo(test.Setup, theirs);
        _inputs.CopyTo(test.Setup, ours);
        List<string> differences = [];
        string served = theirs + "-served";
        using HttpTestServer? web = test.NeedsWeb ? new HttpTestServer(query => Serve(served, query)) : null;
        if (web is not null)
        {
            _inputs.CopyTo(test.Setup, served);
        }

        using NbdServer? forTheirs = test.NeedsNbd ? ServeByNbd(test, theirs) : null;
        using NbdServer? forOurs = test.NeedsNbd ? ServeByNbd(test, ours) : null;
        foreach (string step in test.Steps)
        {
            string[] arguments = CommandLineText.Split(step.Replace("{web}", web?.Address, StringComparison.Ordinal));
            ToolResult expected = test.NeedsWeb ? Programs.ExecuteOnWeb(theirs, arguments) : Programs.Execute(theirs, Programs.QemuImg, arguments);
            ToolResult actual = Programs.RunOurs(ours, arguments);
            Compare(differences, $"qemu-img {step}", Text(test, expected), Text(test, actual));
        }

        Compare(differences, "files", Files(theirs), Files(ours));
        foreach (string image in test.Images)
        {
            CompareImage(differences, test, image, theirs, ours);
        }

        Directory.Delete(Path.GetDirectoryName(theirs)!, recursive: true);
        return differences;
    }

    // Each has exports of its own, by the same name from its directory.
    private NbdServer ServeByNbd(ConformanceCase test, string directory)
    {
        _inputs.CopyTo(test.Setup, directory + "-exports");
        return NbdServer.Files(Path.Combine(directory, "nbd.sock"), directory + "-exports");
    }

    private static HttpReply Serve(string directory, HttpQuery query)
    {
        string file = Path.Combine(directory, Path.GetFileName(query.Path));
        return File.Exists(file) ? HttpReply.File(query, File.ReadAllBytes(file)) : new HttpReply(404);
    }

    private static void CompareImage(List<string> differences, ConformanceCase test, string image, string theirs, string ours)
    {
        string name = image.Split(':')[0];
        string[] format = image.Contains(':') ? ["-f", image.Split(':')[1]] : [];
        string[] second = image.Contains(':') ? ["-F", image.Split(':')[1]] : [];
        if (!File.Exists(Path.Combine(theirs, name)) || !File.Exists(Path.Combine(ours, name)))
        {
            differences.Add($"{name} is not there");
            return;
        }

        ToolResult same = Programs.Execute(ours, Programs.QemuImg, ["compare", .. format, .. second, Path.Combine(theirs, name), name]);
        if (same.ExitCode != 0)
        {
            differences.Add($"content of {name}: {same.Output}{same.Error}");
            return;
        }

        Compare(differences, $"bitmaps of {name}", Bitmaps(Path.Combine(theirs, name)), Bitmaps(Path.Combine(ours, name)));
        Compare(differences, $"qemu-img check {name}", Inspect(theirs, "check", name, format, layout: test.SameLayout), Inspect(ours, "check", name, format, layout: test.SameLayout));
        Compare(differences, $"qemu-img map {name}", Inspect(theirs, "map", name, format, test.SameLayout), Inspect(ours, "map", name, format, test.SameLayout));
    }

    // Persistent bitmaps with the ranges that they have marked; nothing for other formats.
    private static string Bitmaps(string path)
    {
        LocalFileLocator locator = new();
        using LayeredDisk disk = new ChainOpener(locator).Open(path, new ChainOptions { FollowBacking = false, DescribeOnly = true, Options = new Dictionary<string, string>() });
        return disk.Top is not IBitmaps holder ? "" : string.Concat(holder.ListBitmaps().Select(bitmap =>
            $"{bitmap.Name} {bitmap.Granularity} {bitmap.IsEnabled} {bitmap.IsInconsistent}: {(bitmap.IsInconsistent ? "" : string.Join(' ', holder.ReadBitmap(bitmap.Name)))}\n"));
    }

    private static string Inspect(string directory, string command, string name, string[] format, bool layout)
    {
        ToolResult result = Programs.Execute(directory, Programs.QemuImg, [command, "--output=json", .. format, name]);
        string text = $"{result.Output}{result.Error}{result.ExitCode}\n";
        return layout ? text : command == "map" ? JoinExtents(text) : HostOffset().Replace(text, "");
    }

    // The map without host offsets, runs of one kind joined.
    private static string JoinExtents(string map)
    {
        StringBuilder text = new();
        (string Kind, long Start, long End) run = ("", 0, 0);
        foreach (Match entry in MapEntry().Matches(map))
        {
            long start = long.Parse(entry.Groups[1].Value, CultureInfo.InvariantCulture);
            long end = start + long.Parse(entry.Groups[2].Value, CultureInfo.InvariantCulture);
            string kind = entry.Groups[3].Value;
            if (kind != run.Kind)
            {
                text.Append(CultureInfo.InvariantCulture, $"{run.Start} to {run.End}: {run.Kind}\n");
                run = (kind, start, end);
            }

            run.End = end;
        }

        return text.Append(CultureInfo.InvariantCulture, $"{run.Start} to {run.End}: {run.Kind}\n").ToString();
    }

    private static string Files(string directory) =>
        string.Join('\n', Directory.EnumerateFileSystemEntries(directory).Select(static f => Path.GetFileName(f)).Order(StringComparer.Ordinal));

    private static string Text(ConformanceCase test, ToolResult result)
    {
        string output = Time().Replace(RandomNumber().Replace(result.Output, "$1"), "$1");
        output = test.IgnoresDiskSize ? DiskSize().Replace(output, "$1") : output;
        return $"{output}--- errors ---\n{Complaint().Replace(NodeName().Replace(result.Error, "#block"), "")}--- exit code {result.ExitCode} ---\n";
    }

    private static void Compare(List<string> differences, string what, string expected, string actual)
    {
        if (expected != actual)
        {
            differences.Add($"{what}  (- qemu-img, + ours)\n{LineDifference.Of(expected, actual)}");
        }
    }

    [GeneratedRegex("""(disk size: |"actual-size": ).*""")]
    private static partial Regex DiskSize();

    // What is drawn by lot for each image.
    [GeneratedRegex("""(\bcid"?: ).*""")]
    private static partial Regex RandomNumber();

    // qemu-img's curl driver stumbles over its own clean-up.
    [GeneratedRegex("""qemu-img: GLib: .*\n""")]
    private static partial Regex Complaint();

    [GeneratedRegex("""(Run completed in )[\d.]+""")]
    private static partial Regex Time();

    [GeneratedRegex(""""start": (\d+), "length": (\d+), ("depth": \d+, "present": \w+, "zero": \w+, "data": \w+)"""")]
    private static partial Regex MapEntry();

    [GeneratedRegex("""#block\d+""")]
    private static partial Regex NodeName();

    [GeneratedRegex("""(, "offset": \d+)|(,?\s*"(image-end-offset|fragmented-clusters)": \d+,?)""")]
    private static partial Regex HostOffset();
}
