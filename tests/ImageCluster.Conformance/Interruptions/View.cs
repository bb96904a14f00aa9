using ImageCluster.Testing.Qemu;

namespace ImageCluster.Conformance.Interruptions;

/// <summary>Guest bytes that must survive an interruption: an image's, or one of its snapshots'.</summary>
/// <param name="File">The image's file.</param>
/// <param name="Format">Its format.</param>
internal sealed record View(string File, string Format)
{
    /// <summary>The password of an encrypted image; null for none.</summary>
    public string? Password { get; init; }

    /// <summary>The snapshot that is looked at; null for the image as it stands.</summary>
    public string? Snapshot { get; init; }

    /// <summary>The command makes it anew: until that is done it need not be readable, and what is not written yet is zeros.</summary>
    public bool IsNew { get; init; }

    /// <summary>The arguments by which a command opens the image.</summary>
    public string[] Opening => Password is null
        ? ["--image-opts", $"driver={Format},file.filename={File}"]
        : ["--object", $"secret,id=s,data={Password}", "--image-opts", $"driver={Format},file.filename={File},{(Format == "luks" ? "" : "encrypt.")}key-secret=s"];

    /// <summary>The command that reads it.</summary>
    public string[] Reading => ["convert", .. Snapshot is null ? Array.Empty<string>() : ["-l", $"snapshot.name={Snapshot}"], .. Opening, "-O", "raw", "flat"];

    public override string ToString() => $"{File}{(Snapshot is null ? "" : $"@{Snapshot}")}{(Password is null ? "" : $" by {Password}")}";

    /// <summary>The guest's bytes as a program reads them; null where it cannot.</summary>
    /// <param name="run">Runs qemu-img's command line.</param>
    /// <param name="take">Takes a file away and gives its bytes.</param>
    public byte[]? Read(Func<string[], ToolResult> run, Func<string, byte[]> take)
    {
        ToolResult result = run(Reading);
        return result.ExitCode == 0 ? take("flat") : null;
    }
}
