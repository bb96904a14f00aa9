using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Conformance;

/// <summary>The completion scripts, in the shells that they are for.</summary>
public sealed class CompletionTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public CompletionTests()
    {
        File.CreateSymbolicLink(_directory["qemu-img"], Programs.OwnBinary);
        File.WriteAllText(_directory["image.raw"], "");
    }

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [InlineData("qemu-img co", "commit compare completion convert")]
    [InlineData("qemu-img convert -O qc", "qcow qcow2")]
    [InlineData("qemu-img convert --sal", "--salvage")]
    [InlineData("qemu-img info --output = js", "json")]
    [InlineData("qemu-img resize --preallocation f", "falloc full")]
    [InlineData("qemu-img info im", "image.raw")]
    public void Bash(string line, string expected)
    {
        string words = string.Join(' ', line.Split(' ').Select(static word => $"'{word}'"));
        Assert.Equal(expected, Run("bash", $"source <(./qemu-img completion bash); COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}}-1)); _qemu_img; echo \"${{COMPREPLY[@]}}\""));
    }

    [SkippableTheory]
    [InlineData("qemu-img co", "commit compare completion convert")]
    [InlineData("qemu-img convert -O qc", "qcow qcow2")]
    [InlineData("qemu-img convert --sal", "--salvage")]
    [InlineData("qemu-img info --output=js", "--output=json")]
    [InlineData("qemu-img info im", "image.raw")]
    public void Fish(string line, string expected)
    {
        string answer = Run("fish", $"./qemu-img completion fish | source; complete -C '{line}'");
        Assert.Equal(expected, string.Join(' ', answer.Split('\n').Select(static offer => offer.Split('\t')[0])));
        Assert.DoesNotContain("\\", answer);
    }

    [SkippableFact]
    public void FishShowsWhatOptionsMean() =>
        Assert.Contains("--output\thow to print: human or json", Run("fish", "./qemu-img completion fish | source; complete -C 'qemu-img info --outpu'"));

    // _describe and _arguments work only while a line is being edited: what they are given is looked at.
    [SkippableTheory]
    [InlineData("2", "qemu-img co", "convert:Copy an image, or several one behind the other, into a new image of any format.")]
    [InlineData("4", "qemu-img convert -O qc", "*-O+[the format of the image that is made]:value:(bochs")]
    [InlineData("3", "qemu-img info --out", "*--output=[how to print\\: human or json]:value:(human json)")]
    [InlineData("3", "qemu-img info im", "*:file:_files")]
    public void Zsh(string current, string line, string expected)
    {
        string script = "autoload -Uz compinit; compinit -u -D; source <(./qemu-img completion zsh); print -r -- \"for $_comps[qemu-img]\"; " +
            "_describe() { print -rl -- $commands }; _arguments() { print -rl -- \"$@\" }; " +
            $"words=({line}); CURRENT={current}; _qemu_img";
        string answer = Run("zsh", script, "-f");
        Assert.StartsWith("for _qemu_img\n", answer);
        Assert.Contains(expected, answer);
    }

    private string Run(string shell, string script, params string[] options)
    {
        string? path = new[] { "/usr/bin", "/bin", "/usr/local/bin" }.Select(d => Path.Combine(d, shell)).FirstOrDefault(File.Exists);
        Skip.If(path is null, $"{shell} is not installed");
        ToolResult result = Programs.Execute(_directory.Path, path, [.. options, "-c", script]);
        Assert.Equal("", result.Error);
        return result.Output.TrimEnd('\n');
    }
}
