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
using Microsoft.Win32.SafeHandles;

namespace ImageCluster.Conformance;

/// <summary>Runs cases: the same inputs in two directories, qemu-img in one, ours in the other, and everything that comes of it compared.</summary>
public sealed partial class Sandbox : IDisposable
{
    private const long LongFile = 64 << 20;

    private readonly TempDirectory _root = new();
    private readonly Inputs _inputs;
    private int _count;

    public Sandbox() => _inputs = new Inputs(_root.Path);

    public void Dispose() => _root.Dispose();

    /// <summary>Runs a case and returns the differences; none where all is the same.</summary>
    /// <param name="test">What to run.</param>
    /// <param name="everyFile">Look at each file that is left behind, not only at the images that the case names.</param>
    /// <param name="goesOnFromTheirs">
    /// Says of the differences of a step whether both programs are to go on from what qemu-img left behind: what comes later is compared on the same files.
    /// </param>
    public List<Difference> Differences(ConformanceCase test, bool everyFile = false, Func<IReadOnlyList<Difference>, bool>? goesOnFromTheirs = null)
    {
        string theirs = Path.Combine(_root.Path, $"case-{_count}", "t");
        string ours = Path.Combine(_root.Path, $"case-{_count++}", "o");
        _inputs.CopyTo(test.Setup, theirs);
        _inputs.CopyTo(test.Setup, ours);
        List<Difference> differences = [];
        string served = theirs + "-served";
        using HttpTestServer? web = test.NeedsWeb ? new HttpTestServer(query => Serve(served, query)) : null;
        if (web is not null)
        {
            _inputs.CopyTo(test.Setup, served);
        }

        using NbdServer? forTheirs = test.NeedsNbd ? ServeByNbd(test, theirs) : null;
        using NbdServer? forOurs = test.NeedsNbd ? ServeByNbd(test, ours) : null;
        using BlockDevices? theirDevices = test.NeedsDevices ? new BlockDevices(theirs) : null;
        using BlockDevices? ourDevices = test.NeedsDevices ? new BlockDevices(ours) : null;
        for (int i = 0; i < test.Steps.Count; i++)
        {
            string[] arguments = CommandLineText.Split(test.Steps[i].Replace("{web}", web?.Address, StringComparison.Ordinal));
            ToolResult? expected = Programs.ExecuteOrNull(theirs, Programs.QemuImg, arguments);
            ToolResult actual = Programs.RunOurs(ours, arguments);
            string what = $"qemu-img {test.Steps[i]}";
            List<Difference> ofStep = [];
            if (expected is null)
            {
                ofStep.Add(new Difference(DifferencePart.End, what, $"{Programs.QemuImg} does not end; ours has exit code {actual.ExitCode}\n{actual.Error}", i));
            }
            else
            {
                Compare(ofStep, DifferencePart.Output, what, Output(test, expected), Output(test, actual), i);
                Compare(ofStep, DifferencePart.Errors, what, Errors(expected), Errors(actual), i);
                Compare(ofStep, DifferencePart.ExitCode, what, $"exit code {expected.ExitCode}", $"exit code {actual.ExitCode}", i);
            }

            differences.AddRange(ofStep);
            if (goesOnFromTheirs?.Invoke(ofStep) ?? false)
            {
                Directory.Delete(ours, recursive: true);
                Assert.Equal(0, Programs.Execute(_root.Path, "cp", "-a", "--sparse=auto", theirs, ours).ExitCode);
            }
        }

        Compare(differences, DifferencePart.Files, "files", Files(theirs), Files(ours));
        foreach (string image in everyFile ? Changed(theirs, ours) : test.Images)
        {
            CompareImage(differences, test with { SameLayout = test.SameLayout && !everyFile }, image, theirs, ours);
            if (everyFile)
            {
                Compare(differences, DifferencePart.Info, $"qemu-img info {image}", Describe(theirs, image.Split(':')[0]), Describe(ours, image.Split(':')[0]));
            }
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

    // Names of files that have other bytes on the two sides.
    private static IEnumerable<string> Changed(string theirs, string ours) => Directory.EnumerateFiles(theirs)
        .Where(file => IsThere(file) && IsThere(Path.Combine(ours, Path.GetFileName(file))) && !HasBytesOf(file, Path.Combine(ours, Path.GetFileName(file))))
        .Where(static file => !PartOfImage().IsMatch(file)).Order(StringComparer.Ordinal)
        .Select(static file => IsFixedVpc(file) ? $"{Path.GetFileName(file)}:vpc" : Path.GetFileName(file));

    // Its only mark stands in its last sector, where nobody looks who has to guess.
    private static bool IsFixedVpc(string file)
    {
        using SafeFileHandle handle = File.OpenHandle(file);
        byte[] mark = new byte[8];
        long length = RandomAccess.GetLength(handle);
        return length >= 512 && RandomAccess.Read(handle, mark, length - 512) == mark.Length && mark.AsSpan().SequenceEqual("conectix"u8);
    }

    // A link that leads nowhere is not.
    private static bool IsThere(string file) => File.Exists(file) && File.ResolveLinkTarget(file, returnFinalTarget: true) is not { Exists: false };

    // Of a long file, which is mostly hole, qemu-img tells what is the same.
    private static bool HasBytesOf(string one, string other)
    {
        using SafeFileHandle a = File.OpenHandle(one);
        using SafeFileHandle b = File.OpenHandle(other);
        long length = RandomAccess.GetLength(a);
        if (length != RandomAccess.GetLength(b) || length > LongFile)
        {
            return false;
        }

        byte[] first = new byte[1 << 16];
        byte[] second = new byte[1 << 16];
        for (long at = 0; at < length; at += first.Length)
        {
            int count = RandomAccess.Read(a, first, at);
            if (RandomAccess.Read(b, second, at) != count || !first.AsSpan(0, count).SequenceEqual(second.AsSpan(0, count)))
            {
                return false;
            }
        }

        return true;
    }

    private static void CompareImage(List<Difference> differences, ConformanceCase test, string image, string theirs, string ours)
    {
        string name = image.Split(':')[0];
        string? stated = image.Contains(':') ? image.Split(':')[1] : null;
        string[] format = stated is not null ? ["-f", stated] : [];
        string[] second = stated is not null ? ["-F", stated] : [];
        if (!File.Exists(Path.Combine(theirs, name)) || !File.Exists(Path.Combine(ours, name)))
        {
            differences.Add(new Difference(DifferencePart.Files, name, "is not there\n"));
            return;
        }

        if (Programs.ExecuteOrNull(ours, Programs.QemuImg, ["compare", .. format, .. second, Path.Combine(theirs, name), name]) is not { } same)
        {
            // Of a disk of terabytes not even qemu-img itself sees an end.
            return;
        }

        bool isUnreadable = same.ExitCode > 1 && Unreadable().IsMatch(same.Error);
        if (same.ExitCode != 0 && !isUnreadable)
        {
            differences.Add(new Difference(DifferencePart.Content, $"content of {name}", $"{same.Output}{same.Error}"));
            return;
        }

        if (isUnreadable)
        {
            return;
        }

        Compare(differences, DifferencePart.Bitmaps, $"bitmaps of {name}", Bitmaps(Path.Combine(theirs, name)), Bitmaps(Path.Combine(ours, name)));
        Compare(differences, DifferencePart.Check, $"qemu-img check {name}", Inspect(theirs, "check", name, format, layout: test.SameLayout), Inspect(ours, "check", name, format, layout: test.SameLayout));
        Compare(differences, DifferencePart.Map, $"qemu-img map {name}", Inspect(theirs, "map", name, format, test.SameLayout), Inspect(ours, "map", name, format, test.SameLayout));
    }

    /// <summary>Persistent bitmaps with the ranges that they have marked; nothing for other formats.</summary>
    internal static string Bitmaps(string path)
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

    /// <summary>What qemu-img says of an image, without what is the host's or drawn by lot.</summary>
    internal static string Describe(string directory, string name)
    {
        ToolResult result = Programs.Execute(directory, Programs.QemuImg, "info", "--output=json", name);
        return DiskSize().Replace(RandomNumber().Replace(Drawn().Replace(result.Output, "$1"), "$1"), "$1") + result.Error;
    }

    private static string Files(string directory) =>
        string.Join('\n', Directory.EnumerateFileSystemEntries(directory).Select(static f => Path.GetFileName(f)).Order(StringComparer.Ordinal));

    private static string Output(ConformanceCase test, ToolResult result)
    {
        string output = Ends().Replace(Progress().Replace(result.Output, ""), "$1");
        output = Time().Replace(RandomNumber().Replace(output, "$1"), "$1");
        return test.IgnoresDiskSize ? DiskSize().Replace(output, "$1") : output;
    }

    private static string Errors(ToolResult result) => Complaint().Replace(NodeName().Replace(result.Error, "#block"), "");

    private static void Compare(List<Difference> differences, DifferencePart part, string what, string expected, string actual, int step = Difference.AtTheEnd)
    {
        if (expected != actual)
        {
            differences.Add(new Difference(part, what, LineDifference.Of(expected, actual), step));
        }
    }

    // An image that is encrypted, or whose backing file is not there: the content cannot be compared.
    [GeneratedRegex("key-secret|Could not open backing file|Could not read snapshots")]
    private static partial Regex Unreadable();

    // A vmdk's extents: the image itself is looked at.
    [GeneratedRegex(@"-([sf]\d{3}|flat)\.vmdk$|-[sf]\d{3}$|-flat$")]
    private static partial Regex PartOfImage();

    [GeneratedRegex("""("(uuid|master-key-iters|iters|date-sec|date-nsec|key-offset)": ).*""")]
    private static partial Regex Drawn();

    [GeneratedRegex("""(disk size: |"actual-size": ).*""")]
    private static partial Regex DiskSize();

    // What is drawn by lot for each image.
    [GeneratedRegex("""(\bcid"?: ).*""")]
    private static partial Regex RandomNumber();

    // qemu-img's curl driver stumbles over its own clean-up, its dmg driver over modules that Debian packs apart.
    [GeneratedRegex("""(qemu-img: GLib: .*\n)|(qemu: module block-\S+ not found.*\n)""")]
    private static partial Regex Complaint();

    [GeneratedRegex("""(Run completed in )[\d.]+""")]
    private static partial Regex Time();

    [GeneratedRegex(""""start": (\d+), "length": (\d+), ("depth": \d+, "present": \w+, "zero": \w+, "data": \w+)"""")]
    private static partial Regex MapEntry();

    // How often a percentage is printed depends on how the work is cut.
    [GeneratedRegex(@"    \([1-9]\d?\.\d\d/100%\)\r")]
    private static partial Regex Progress();

    [GeneratedRegex(@"(    \((0|100)\.00/100%\)\r)(\1)+")]
    private static partial Regex Ends();

    [GeneratedRegex("""#block\d+""")]
    private static partial Regex NodeName();

    [GeneratedRegex("""(, "offset": \d+)|(,?\s*"(image-end-offset|fragmented-clusters)": \d+,?)""")]
    private static partial Regex HostOffset();
}
