using ImageCluster.Conformance.Walk;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Conformance;

/// <summary>
/// Makes the inputs of cases, each set once, in a directory that is then copied. Lines: <c>img ARGS</c> (qemu-img), <c>io FORMAT IMAGE COMMAND
/// [COMMAND...]</c> (qemu-io), <c>sample FORMAT FILE</c> (see <see cref="Samples"/>), or any program by its name.
/// </summary>
internal sealed class Inputs(string root)
{
    private readonly Dictionary<string, string> _made = [];

    /// <summary>Copies the inputs that the lines make to a directory, holes and all.</summary>
    public void CopyTo(IReadOnlyList<string> lines, string directory)
    {
        Directory.CreateDirectory(directory);
        if (lines.Count > 0)
        {
            Execute(root, "cp", ["-a", "--sparse=auto", Make(lines) + "/.", directory]);
        }
    }

    /// <summary>The directory with the inputs that the lines make, to be left as it is.</summary>
    public string Make(IReadOnlyList<string> lines)
    {
        string key = string.Join('\n', lines);
        if (_made.TryGetValue(key, out string? directory))
        {
            return directory;
        }

        directory = Path.Combine(root, $"inputs-{_made.Count}");
        Directory.CreateDirectory(directory);
        foreach (string line in lines)
        {
            string[] words = CommandLineText.Split(line);
            switch (words[0])
            {
                case "img":
                    Execute(directory, Programs.QemuImg, words[1..]);
                    break;
                case "io":
                    Execute(directory, "qemu-io", [.. words[3..].SelectMany(static c => new[] { "-c", c }), "-f", words[1], words[2]]);
                    break;
                case "sample":
                    File.WriteAllBytes(Path.Combine(directory, words[2]), Samples.Make(words[1]));
                    break;
                default:
                    Execute(directory, words[0], words[1..]);
                    break;
            }
        }

        _made.Add(key, directory);
        return directory;
    }

    private static void Execute(string directory, string program, string[] arguments)
    {
        ToolResult result = Programs.Execute(directory, program, arguments);
        Assert.True(result.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: exit code {result.ExitCode}\n{result.Error}{result.Output}");
    }
}
