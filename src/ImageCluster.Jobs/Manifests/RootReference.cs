namespace ImageCluster.Jobs.Manifests;

/// <summary>
/// A root as a manifest refers to it: a name (letters, digits, '.', '_' and '-', starting with a letter or digit, at most 64), which the
/// manifest's <c>roots</c> or the cluster's nodes map to a directory, or else the directory itself (<c>/mnt/vm</c>,
/// <c>./images</c>, <c>.</c>) or the address of a server or a store (<c>s3://bucket/x</c>), which only one machine can use.
/// </summary>
public readonly record struct RootReference(string Text)
{
    public bool IsName => IsValidName(Text);

    /// <summary>What a root that is no name is, for messages.</summary>
    public string Kind => Text.Contains("://", StringComparison.Ordinal) ? "an address" : "a directory";

    public static bool IsValidName(ReadOnlySpan<char> text)
    {
        if (text.Length is 0 or > 64 || !char.IsAsciiLetterOrDigit(text[0]))
        {
            return false;
        }

        foreach (char c in text)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('.' or '_' or '-'))
            {
                return false;
            }
        }

        return true;
    }

    public override string ToString() => Text;
}
