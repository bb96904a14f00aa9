using ImageCluster.Imaging.Formats;

namespace ImageCluster.Conformance;

/// <summary>How ours stands to qemu-img in a case.</summary>
public enum Verdict
{
    /// <summary>Output, errors, exit code and files are the same.</summary>
    Same,

    /// <summary>It differs for the user's good; the case says how.</summary>
    Better,

    /// <summary>It differs; the case says why.</summary>
    Differs,
}

/// <summary>One row: what is set up with qemu-img, what is then run by both, and what must come out.</summary>
public sealed record ConformanceCase
{
    /// <summary>The command that the row is about.</summary>
    public required string Command { get; init; }

    /// <summary>What of the command: an option, or a few words.</summary>
    public required string Topic { get; init; }

    /// <summary>The format that it is about; empty where it does not matter.</summary>
    public string Format { get; init; } = "";

    /// <summary>Lines that qemu-img and qemu-io (and a few shell tools) run to make the inputs; see <see cref="Inputs"/>.</summary>
    public IReadOnlyList<string> Setup { get; init; } = [];

    /// <summary>Command lines (without the program) that both run one after the other in directories of their own.</summary>
    public required IReadOnlyList<string> Steps { get; init; }

    /// <summary>Images (<c>name</c> or <c>name:format</c>) whose guest bytes, check and map must be the same afterwards.</summary>
    public IReadOnlyList<string> Images { get; init; } = [];

    /// <summary>The images' maps must agree in host offsets too.</summary>
    public bool SameLayout { get; init; } = true;

    /// <summary>Space on the host is left out of the comparison of outputs.</summary>
    public bool IgnoresDiskSize { get; init; }

    /// <summary>A web server serves the case's inputs: <c>{web}</c> in a step is its address. qemu-img needs its curl module for that.</summary>
    public bool NeedsWeb { get; init; }

    /// <summary>The inputs are exports of an NBD server too, whose socket is <c>nbd.sock</c>.</summary>
    public bool NeedsNbd { get; init; }

    /// <summary>The inputs <c>disk.img</c> and <c>cd.img</c> are block devices too, <c>disk</c> and, for reading only, <c>cd</c>.</summary>
    public bool NeedsDevices { get; init; }

    public Verdict Verdict { get; init; } = Verdict.Same;

    /// <summary>Where the verdict is not Same: what differs. The rest must be the same.</summary>
    public DifferencePart Differs { get; init; }

    /// <summary>Where the verdict is not Same: how and why, for the reader of the compatibility table.</summary>
    public string Reason { get; init; } = "";

    /// <summary>False where the case is about a format that is not there yet.</summary>
    public bool IsAvailable
    {
        get
        {
            bool isFormat = Format.Length > 0 && !Format.Contains(' ', StringComparison.Ordinal);
            ImageFormat? format = isFormat ? FormatRegistry.Find(Format) : null;
            return !isFormat || (format is not null && (format.CanCreate || Command is not ("create" or "convert")));
        }
    }

    public string Name => Format.Length == 0 ? $"{Command}: {Topic}" : $"{Command} {Format}: {Topic}";

    public override string ToString() => Name;
}
