using ImageCluster.Imaging;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Protocols;

namespace ImageCluster.QemuImg.CommandLine;

/// <summary>What a command runs in: its name, where it prints, how it reaches files, what secrets it was given.</summary>
internal sealed class CommandHost
{
    /// <param name="programName">The name that messages start with: the one that the program was called by.</param>
    /// <param name="output">Standard output.</param>
    /// <param name="errors">Standard error.</param>
    /// <param name="files">Opens what is no protocol's.</param>
    public CommandHost(string programName, TextWriter output, TextWriter errors, IFileLocator files)
    {
        ProgramName = programName;
        Out = output;
        Errors = errors;
        Locator = new ProtocolLocator(files, ProtocolRegistry.Create(new ProtocolSettings { Secret = Secrets.Find, TlsCredentials = Secrets.TlsCredentials }));
    }

    /// <summary>The name that messages start with: the one that the program was called by.</summary>
    public string ProgramName { get; }

    public TextWriter Out { get; }

    public TextWriter Errors { get; }

    public ProtocolLocator Locator { get; }

    public SecretStore Secrets { get; } = new();

    // Images whose corruption was told.
    private readonly HashSet<string> _corrupt = [];

    /// <summary>
    /// What qemu-img gives as the reason of a failure: the words of its error number, where it has one. An image that was found to be corrupt is
    /// reported first, once.
    /// </summary>
    public string Reason(ImageException failure)
    {
        if (failure.Corruption != CorruptionSignal.None && _corrupt.Add(failure.File ?? ""))
        {
            Errors.Write(failure.Corruption == CorruptionSignal.Marked
                ? $"qcow2: Marking image as corrupt: {failure.Message}; further corruption events will be suppressed\n"
                : $"qcow2: Image is corrupt: {failure.Message}; further non-fatal corruption events will be suppressed\n");
        }

        bool isDamage = failure.Corruption == CorruptionSignal.None && failure.Kind is ImageErrorKind.Corrupt or ImageErrorKind.Truncated;
        if (isDamage && _corrupt.Add(failure.File ?? ""))
        {
            // qemu-img says no more than that something went wrong.
            Error($"{failure.File}: {failure.Message}");
        }

        if (failure is { Kind: ImageErrorKind.Unsupported, Errno: 5 })
        {
            // QEMU's driver says what it cannot do, its caller that it failed.
            Error(failure.Message);
        }

        return isDamage ? "Input/output error" : ErrorNumbers.TextOf(failure.Errno) ?? failure.Message;
    }

    /// <summary>
    /// What is said of a failure that tells itself what it is about. An image that was found to be corrupt in one of its steps is reported first, once.
    /// </summary>
    public string Words(ImageException failure) =>
        failure.Corruption == CorruptionSignal.None ? failure.Message
        : failure is { Step: { } step, InnerException: ImageException inner } ? $"{step}: {Reason(inner)}"
        : Reason(failure);

    /// <summary>Prints a message after the program's name; a line's end in it is a part of it, a name's for example.</summary>
    public void Error(string message) => Errors.Write($"{ProgramName}: {message}\n");

    public void Warning(string message) => Error("warning: " + message);

    /// <summary>Prints an engine's failure after <paramref name="context"/> (which ends with its own colon and space).</summary>
    public void Error(string context, ImageException failure)
    {
        Error(context + Words(failure));
        if (failure.Hint is not null)
        {
            Errors.Write(failure.Hint);
        }
    }
}
