using ImageCluster.Imaging;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.QemuImg.CommandLine;

/// <summary>What a command runs in: its name, where it prints, how it reaches files, what secrets it was given.</summary>
internal sealed class CommandHost(string programName, TextWriter output, TextWriter errors, IFileLocator locator)
{
    /// <summary>The name that messages start with: the one that the program was called by.</summary>
    public string ProgramName { get; } = programName;

    public TextWriter Out { get; } = output;

    public TextWriter Errors { get; } = errors;

    public IFileLocator Locator { get; } = locator;

    public SecretStore Secrets { get; } = new();

    /// <summary>Prints a message of one or several lines, each after the program's name.</summary>
    public void Error(string message)
    {
        foreach (string line in message.Split('\n'))
        {
            Errors.Write($"{ProgramName}: {line}\n");
        }
    }

    public void Warning(string message) => Error("warning: " + message);

    /// <summary>Prints an engine's failure after <paramref name="context"/> (which ends with its own colon and space).</summary>
    public void Error(string context, ImageException failure)
    {
        Error(context + failure.Message);
        if (failure.Hint is not null)
        {
            Errors.Write(failure.Hint);
        }
    }
}
