using ImageCluster.Conformance.Walk;
using ImageCluster.Imaging.Formats;
using ImageCluster.QemuImg.CommandLine;

namespace ImageCluster.Conformance;

/// <summary>A walk draws everything that there is to draw: an option that is added and forgotten there shows here.</summary>
public sealed class WalkGrammarTests
{
    private const int Draws = 6000;

    // Help is our own, and is compared nowhere.
    private const string Help = "h";

    public static TheoryData<string> Commands => [.. WalkGrammar.Commands.Select(static command => command.Name)];

    public static TheoryData<string> Formats => [.. FormatRegistry.All.Where(static format => format.CanCreate).Select(static format => format.Name)];

    [Fact]
    public void EveryCommandIsWalked() =>
        Assert.Equal(CommandTable.All.Select(static command => command.Name).Where(static name => name != "completion").Order(), WalkGrammar.Commands.Select(static command => command.Name).Order());

    [Theory]
    [MemberData(nameof(Commands))]
    public void EveryOptionIsDrawn(string command)
    {
        HashSet<string> words = [.. Lines(command).SelectMany(static line => line.Split(' ')).Select(static word => word.Split('=')[0])];
        Assert.All(CommandTable.Find(command)!.Options.Where(static option => option.Key != Help),
            option => Assert.True(words.Contains($"-{option.Short}") || words.Contains($"--{option.Long}"), $"{command} {option.Spelling}"));
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void EveryCreateOptionIsDrawn(string format)
    {
        string[] words = [.. Lines("create").Where(line => line.Contains($"-f {format} ", StringComparison.Ordinal)).SelectMany(static line => line.Split(' ', ','))];
        Assert.All(FormatRegistry.Find(format)!.CreateOptions, option => Assert.Contains(words, word => word.StartsWith(option.Name + "=", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("qcow2")]
    [InlineData("luks")]
    public void EveryAmendOptionIsDrawn(string format)
    {
        string[] words = [.. Lines("amend").SelectMany(static line => line.Split(' ', ','))];
        Assert.All(FormatRegistry.Find(format)!.AmendOptions, option => Assert.Contains(words, word => word.StartsWith(option.Name + "=", StringComparison.Ordinal)));
    }

    private static IEnumerable<string> Lines(string command) => Enumerable.Range(0, Draws).Select(seed => new Walker(seed).Draw(command).Steps[0]);
}
