namespace ImageCluster.Conformance;

/// <summary>What of a case differs.</summary>
[Flags]
public enum DifferencePart
{
    None = 0,

    /// <summary>What a step printed.</summary>
    Output = 1,

    /// <summary>What a step said on standard error.</summary>
    Errors = 2,

    /// <summary>A step's exit code.</summary>
    ExitCode = 4,

    /// <summary>Which files there are in the end.</summary>
    Files = 8,

    /// <summary>The guest's bytes in an image.</summary>
    Content = 16,

    /// <summary>An image's bitmaps.</summary>
    Bitmaps = 32,

    /// <summary>What qemu-img's check says of an image.</summary>
    Check = 64,

    /// <summary>What qemu-img's map says of an image.</summary>
    Map = 128,

    /// <summary>What qemu-img's info says of an image.</summary>
    Info = 256,

    /// <summary>A program did not end.</summary>
    End = 512,

    /// <summary>All that a step says.</summary>
    Said = Output | Errors | ExitCode,

    /// <summary>All that an image is looked at for.</summary>
    Image = Content | Bitmaps | Check | Map | Info,
}

/// <summary>One difference between qemu-img and ours.</summary>
/// <param name="Part">What differs.</param>
/// <param name="What">The step, or the image.</param>
/// <param name="Lines">The lines that only qemu-img has after <c>-</c>, those that only ours has after <c>+</c>.</param>
/// <param name="Step">The step's index, or <see cref="AtTheEnd"/> for what is looked at when all steps are done.</param>
public sealed record Difference(DifferencePart Part, string What, string Lines, int Step = Difference.AtTheEnd)
{
    public const int AtTheEnd = int.MaxValue;

    public override string ToString() => $"{What}: {Part}  (- qemu-img, + ours)\n{Lines}";
}
