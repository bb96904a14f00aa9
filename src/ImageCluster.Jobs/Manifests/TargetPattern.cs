using System.Text;

namespace ImageCluster.Jobs.Manifests;

/// <summary>
/// The pattern that gives a target its path in the target root. Tokens: <c>{name}</c> the source's file name without its last extension, <c>{ext}</c>
/// that extension without the dot, <c>{file}</c> the whole file name, <c>{path}</c> the source's directory in its root (where it is
/// empty, the '/' behind it goes too), <c>{root}</c> the source root's name (the last part of a directory), <c>{format}</c> the target's format.
/// <c>{{</c> and <c>}}</c> are braces.
/// </summary>
public sealed class TargetPattern
{
    private readonly IReadOnlyList<Piece> _pieces;

    private TargetPattern(string text, IReadOnlyList<Piece> pieces)
    {
        Text = text;
        _pieces = pieces;
    }

    public static IReadOnlyList<string> Tokens { get; } = ["name", "ext", "file", "path", "root", "format"];

    /// <summary>The source's own place and name, with the format for an extension.</summary>
    public static TargetPattern Default { get; } =
        TryParse("{path}/{name}.{format}", out TargetPattern? pattern, out _) ? pattern! : throw new InvalidOperationException();

    /// <summary>The pattern as it was written.</summary>
    public string Text { get; }

    /// <summary>Reads a pattern; <paramref name="problem"/> says what is wrong where it returns false.</summary>
    public static bool TryParse(string text, out TargetPattern? pattern, out string problem)
    {
        pattern = null;
        var pieces = new List<Piece>();
        var literal = new StringBuilder();
        problem = text.Length switch
        {
            0 => "is empty",
            > ImageName.MaxPathLength => $"is longer than {ImageName.MaxPathLength:#,0} characters",
            _ => "",
        };
        for (int i = 0; i < text.Length && problem.Length == 0; i++)
        {
            char c = text[i];
            if (c is '{' or '}' && i + 1 < text.Length && text[i + 1] == c)
            {
                literal.Append(c);
                i++;
            }
            else if (c == '}')
            {
                problem = "has a '}' without its '{' (write '}}' for a brace)";
            }
            else if (c == '{')
            {
                int end = text.IndexOf('}', i);
                string token = end < 0 ? "" : text[(i + 1)..end];
                problem = end < 0 ? "has a '{' without its '}' (write '{{' for a brace)" : TokenProblem(token);
                pieces.Add(new Piece(literal.ToString(), token));
                literal.Clear();
                i = Math.Max(i, end);
            }
            else
            {
                literal.Append(c);
            }
        }

        pieces.Add(new Piece(literal.ToString(), null));
        if (problem.Length > 0)
        {
            return false;
        }

        pattern = new TargetPattern(text, pieces);
        return true;
    }

    /// <summary>
    /// The path of the target of <paramref name="source"/>. It is not checked: a source's name may make it one that
    /// <see cref="ImageName.PathProblem"/> objects to.
    /// </summary>
    public string Expand(ImageName source, string targetFormat)
    {
        string file = source.FileName;
        int dot = file.LastIndexOf('.');
        // A dot that starts the name (".disk") starts no extension.
        bool hasExtension = dot > 0;
        var path = new StringBuilder();
        bool dropSlash = false;
        foreach (Piece piece in _pieces)
        {
            path.Append(dropSlash && piece.Literal.StartsWith('/') ? piece.Literal[1..] : piece.Literal);
            dropSlash = false;
            switch (piece.Token)
            {
                case "name":
                    path.Append(hasExtension ? file[..dot] : file);
                    break;
                case "ext":
                    path.Append(hasExtension ? file[(dot + 1)..] : "");
                    break;
                case "file":
                    path.Append(file);
                    break;
                case "path":
                    int slash = source.Path.LastIndexOf('/');
                    path.Append(slash < 0 ? "" : source.Path[..slash]);
                    dropSlash = slash < 0;
                    break;
                case "root":
                    path.Append(source.Root.TrimEnd('/').Split('/')[^1]);
                    break;
                case "format":
                    path.Append(targetFormat);
                    break;
            }
        }

        return path.ToString();
    }

    public override string ToString() => Text;

    private static string TokenProblem(string token) => Tokens.Contains(token)
        ? ""
        : $"has an unknown token '{{{token}}}'{NearestWord.Hint(token, Tokens, before: "{", after: "}")}";

    private sealed record Piece(string Literal, string? Token);
}
