using ImageCluster.QemuImg.CommandLine;
using ImageCluster.QemuImg.Help;
using ImageCluster.Testing;

namespace ImageCluster.QemuImg.Tests;

public sealed class ReferencePageTests
{
    [Fact]
    public void ThePageIsWhatTheTableSays()
    {
        StringWriter text = new();
        ReferencePage.Write(text);
        GeneratedPage.Check("docs/qemu-img-reference.md", text.ToString());
    }

    [Fact]
    public void NoCommandHasTwoOptionsOfOneName()
    {
        foreach (CommandSpec command in CommandTable.All)
        {
            Assert.Equal(command.Options.Count, command.Options.Select(static o => o.Key).Distinct().Count());
            Assert.DoesNotContain(command.Options.Where(static o => o.Long is not null).GroupBy(static o => o.Long), static g => g.Count() > 1);
        }
    }

    [Theory]
    [InlineData("bash", "-n")]
    public void TheCompletionScriptParses(string shell, string checkOption)
    {
        StringWriter script = new();
        StringWriter errors = new();
        Assert.Equal(0, QemuImgProgram.Run("qemu-img", ["completion", shell], script, errors));
        using ImageCluster.Testing.Storage.TempDirectory directory = new();
        File.WriteAllText(directory["script"], script.ToString());
        using System.Diagnostics.Process process = System.Diagnostics.Process.Start(shell, [checkOption, directory["script"]]);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }

    [Fact]
    public void EveryCommandShowsItsOptions()
    {
        foreach (CommandSpec command in CommandTable.All)
        {
            StringWriter output = new();
            StringWriter errors = new();
            Assert.Equal(0, QemuImgProgram.Run("qemu-img", [command.Name, "--help"], output, errors));
            Assert.Equal("", errors.ToString());
            Assert.All(command.Options, option => Assert.Contains(option.Spelling, output.ToString(), StringComparison.Ordinal));
        }
    }
}
