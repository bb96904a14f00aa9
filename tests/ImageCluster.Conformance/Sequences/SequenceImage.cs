namespace ImageCluster.Conformance.Sequences;

/// <summary>An image of a sequence, and how a command line names it.</summary>
/// <param name="Name">The file.</param>
/// <param name="Format">Its driver.</param>
/// <param name="Options">What it is made with.</param>
internal sealed record SequenceImage(string Name, string Format, string Options)
{
    /// <summary>The passphrases that key slots are filled with, by the ids of their secrets.</summary>
    public static readonly string[] Secrets = ["s", "t", "u"];

    /// <summary>Options that define all secrets.</summary>
    public static readonly string[] Objects = [.. Secrets.SelectMany(static id => new[] { "--object", $"secret,id={id},data=pass-{id}" })];

    /// <summary>The secret that opens it; null where it is not encrypted.</summary>
    public string? Secret { get; set; }

    public bool IsEncrypted => Secret is not null;

    /// <summary>Only options can open it: it needs a secret, or the format must not be guessed.</summary>
    public bool NeedsNode => IsEncrypted || Format == "raw";

    /// <summary>The option by which the format takes its secret.</summary>
    public string SecretOption => Format == "luks" ? "key-secret" : "encrypt.key-secret";

    /// <summary>As a backing file is named in the overlay: an encrypted one with its secret.</summary>
    public string BackingName => IsEncrypted
        ? $$$"""json:{"driver":"{{{Format}}}","{{{SecretOption}}}":"{{{Secret}}}","file":{"driver":"file","filename":"{{{Name}}}"}}"""
        : Name;

    /// <summary>The image as a string of options.</summary>
    /// <param name="directory">Where it lies, seen from where the program runs.</param>
    /// <param name="prefix">Before each option: <c>file.</c> where something stands on the image.</param>
    public string Node(string directory = "", string prefix = "") =>
        $"{prefix}driver={Format},{prefix}file.filename={Path.Combine(directory, Name)}{(IsEncrypted ? $",{prefix}{SecretOption}={Secret}" : "")}";

    /// <summary>The words that name the image for a command which has <c>--image-opts</c>: by its name where that will do.</summary>
    public string[] Words(bool asNode = false, string directory = "") =>
        asNode || NeedsNode ? [.. IsEncrypted ? Objects : [], "--image-opts", Node(directory)] : [Path.Combine(directory, Name)];
}
