using System.Text.Json.Nodes;
using ImageCluster.Cli.Progress;
using ImageCluster.Cli.Tests.Support;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Plans;
using ImageCluster.Testing.Time;
using Spectre.Console;

namespace ImageCluster.Cli.Tests.EndToEnd;

/// <summary>What is shown while it runs: plain lines, JSON lines, the picture on a terminal.</summary>
public sealed class OutputTests : IDisposable
{
    private readonly Lab _lab = new();

    public void Dispose() => _lab.Dispose();

    [Fact]
    public void PlainLinesNameEachStepOnce()
    {
        _lab.AddRaw("a.raw", 1, 1 << 20);
        string[] lines = _lab.Run("migrate", "--to", "vmdk", "src", "out", "--output", "plain").Expect(0).Output.Split('\n');
        Assert.Equal("a.raw: converting 1.00 MiB to a.vmdk", lines[0]);
        Assert.Equal("a.raw: verifying", lines[1]);
        Assert.Matches(@"^a\.raw: done: 1\.00 MiB in .* s, target .* KiB, verified$|^a\.raw: done: 1\.00 MiB in .* s, target .* MiB, verified$", lines[2]);
        Assert.DoesNotContain(lines, line => line.Contains('\u001b'));
    }

    [Fact]
    public void JsonLinesAreEventsAndEndWithTheReport()
    {
        _lab.AddRaw("a.raw", 1, 3 << 20);
        IReadOnlyList<JsonNode> lines = _lab.Run("migrate", "--to", "vmdk", "src", "out", "--output", "json-lines", "--rate", "4MiB/s").Expect(0).JsonLines;
        Assert.Equal(["converting", "verifying", "finishing", "done"], lines.Where(line => (string?)line["event"] == "image").Select(line => (string)line["stage"]!));
        JsonNode progress = lines.First(line => (string?)line["event"] == "progress");
        Assert.Equal(2 * (3 << 20), (long)progress["workTotal"]!);
        Assert.Equal("a.raw", Path.GetFileName(((string)progress["running"]![0]!["source"]!).Split(':')[1]));
        Assert.Equal("end", (string?)lines[^1]["event"]);
        Assert.Equal("done", (string?)lines[^1]["outcome"]);
        Assert.StartsWith("sha256t:", (string)lines[^1]["images"]![0]!["digest"]!, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(60)]
    [InlineData(80)]
    [InlineData(120)]
    [InlineData(200)]
    public void ThePictureFitsItsTerminal(int width)
    {
        ManualTime time = new();
        ProgressBoard board = new("lab", time);
        ImageProgress[] images = [.. Enumerable.Range(0, 40).Select(i => new ImageProgress(new PlannedImage
        {
            Source = new ImageName("/src", $"some/long/directory/of/machines/machine-{i:00}[x].vmdk"),
            Target = new ImageName("/out", $"machine-{i:00}.qcow2"),
            Action = PlanAction.Convert,
            AllocatedBytes = 10L << 30,
        }) { Verifies = true })];
        board.Show(images);
        for (int i = 0; i < 30; i++)
        {
            board.Enter(images[i], i % 3 == 0 ? ImageStage.Verifying : ImageStage.Converting);
            images[i].AddConverted(3L << 30);
        }

        time.Advance(TimeSpan.FromSeconds(3));
        board.Enter(images[0], ImageStage.Failed, "it is broken");
        StringWriter output = new();
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, Out = new AnsiConsoleOutput(output) });
        console.Profile.Width = width;
        console.Write(new ProgressPicture(unicode: true).Draw(board, width, height: 20));
        string[] lines = output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.InRange(lines.Length, 10, 19);
        Assert.All(lines, line => Assert.True(line.TrimEnd().Length < width, $"{line.Length}: {line}"));
        Assert.Contains(lines, line => line.Contains("Total", StringComparison.Ordinal));
        Assert.Contains("1 failed", lines[^1], StringComparison.Ordinal);
        Assert.Contains("15%", output.ToString(), StringComparison.Ordinal);
    }
}
