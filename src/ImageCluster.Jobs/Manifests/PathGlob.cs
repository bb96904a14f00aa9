using System.Text;

namespace ImageCluster.Jobs.Manifests;

/// <summary>
/// A pattern over '/'-separated relative paths: <c>*</c> any characters of one part, <c>?</c> one character, <c>**</c> as a part of its own any
/// number of parts (none too), <c>[a-z]</c> and <c>[!a-z]</c> one character of a set, <c>{a,b}</c> one of several texts, and a backslash before a
/// character that is meant as itself. Case counts. Matching takes time in proportion to pattern times path, whatever the pattern.
/// </summary>
public sealed class PathGlob
{
    private const int MaxLength = 1024;
    private const int MaxAlternatives = 256;

    private readonly string[][] _alternatives;

    private PathGlob(string text, string[][] alternatives)
    {
        Text = text;
        _alternatives = alternatives;
    }

    /// <summary>The pattern as it was written.</summary>
    public string Text { get; }

    /// <summary>Reads a pattern; <paramref name="problem"/> says what is wrong where it returns false.</summary>
    public static bool TryParse(string text, out PathGlob? glob, out string problem)
    {
        glob = null;
        var expanded = new List<string>();
        problem = Problem(text) ?? Expand(text, expanded) ?? "";
        if (problem.Length > 0)
        {
            return false;
        }

        glob = new PathGlob(text, [.. expanded.Select(SplitParts)]);
        return true;
    }

    /// <summary>The pattern that matches just <paramref name="path"/>.</summary>
    public static string Escape(string path)
    {
        var escaped = new StringBuilder(path.Length);
        foreach (char c in path)
        {
            if (c is '*' or '?' or '[' or ']' or '{' or '}' or '\\')
            {
                escaped.Append('\\');
            }

            escaped.Append(c);
        }

        return escaped.ToString();
    }

    public bool IsMatch(string path)
    {
        string[] parts = path.Split('/');
        return _alternatives.Any(pattern => MatchParts(pattern, parts));
    }

    public override string ToString() => Text;

    private static string? Problem(string text)
    {
        if (text.Length == 0)
        {
            return "is empty";
        }

        if (text.Length > MaxLength)
        {
            return $"is longer than {MaxLength:#,0} characters";
        }

        if (text[0] == '/')
        {
            return "is absolute; patterns are relative to their root";
        }

        int braces = 0;
        for (int i = 0; i < text.Length; i++)
        {
            switch (text[i])
            {
                case '\\':
                    if (++i == text.Length)
                    {
                        return "ends with a backslash";
                    }

                    break;
                case '[':
                    int end = SetEnd(text, i);
                    if (end < 0)
                    {
                        return "has a '[' without its ']'";
                    }

                    i = end;
                    break;
                case '{':
                    if (++braces > 1)
                    {
                        return "has braces within braces";
                    }

                    break;
                case '}' when --braces < 0:
                    return "has a '}' without its '{'";
            }
        }

        if (braces != 0)
        {
            return "has a '{' without its '}'";
        }

        return text.Split('/').Any(part => part is "" or "." or "..") ? "has an empty, '.' or '..' part" : null;
    }

    // Writes each choice of the braces out; MaxAlternatives bounds the work that a pattern can ask for.
    private static string? Expand(string text, List<string> result)
    {
        result.Add("");
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '{')
            {
                List<string> choices = Choices(text, ref i);
                if ((long)choices.Count * result.Count > MaxAlternatives)
                {
                    return $"stands for more than {MaxAlternatives} patterns";
                }

                List<string> next = [.. result.SelectMany(_ => choices, static (head, choice) => head + choice)];
                result.Clear();
                result.AddRange(next);
                continue;
            }

            int end = text[i] == '\\' ? i + 1 : text[i] == '[' ? SetEnd(text, i) : i;
            string piece = text[i..(end + 1)];
            for (int j = 0; j < result.Count; j++)
            {
                result[j] += piece;
            }

            i = end;
        }

        return null;
    }

    private static List<string> Choices(string text, ref int i)
    {
        var choices = new List<string>();
        var choice = new StringBuilder();
        for (i++; text[i] != '}'; i++)
        {
            if (text[i] == ',')
            {
                choices.Add(choice.ToString());
                choice.Clear();
                continue;
            }

            int end = text[i] == '\\' ? i + 1 : text[i] == '[' ? SetEnd(text, i) : i;
            choice.Append(text, i, end + 1 - i);
            i = end;
        }

        choices.Add(choice.ToString());
        return choices;
    }

    // Where the set that starts at i ends, or -1; a ']' right behind the '[' or '[!' is a member.
    private static int SetEnd(string text, int i)
    {
        int first = i + 1 < text.Length && text[i + 1] is '!' or '^' ? i + 2 : i + 1;
        return first + 1 > text.Length ? -1 : text.IndexOf(']', Math.Min(first + 1, text.Length));
    }

    private static string[] SplitParts(string pattern)
    {
        var parts = new List<string>();
        int start = 0;
        for (int i = 0; i < pattern.Length; i++)
        {
            if (pattern[i] == '\\')
            {
                i++;
            }
            else if (pattern[i] == '[')
            {
                i = SetEnd(pattern, i);
            }
            else if (pattern[i] == '/')
            {
                parts.Add(pattern[start..i]);
                start = i + 1;
            }
        }

        parts.Add(pattern[start..]);
        return [.. parts];
    }

    // Whether pattern parts match path parts, one row of a table at a time: reached[j] says that the pattern so far takes j parts.
    private static bool MatchParts(string[] pattern, string[] path)
    {
        var reached = new bool[path.Length + 1];
        reached[0] = true;
        foreach (string part in pattern)
        {
            if (part == "**")
            {
                for (int j = 1; j <= path.Length; j++)
                {
                    reached[j] |= reached[j - 1];
                }
            }
            else
            {
                for (int j = path.Length; j > 0; j--)
                {
                    reached[j] = reached[j - 1] && MatchPart(part, path[j - 1]);
                }

                reached[0] = false;
            }
        }

        return reached[path.Length];
    }

    // The usual matcher with one point to go back to: the last '*' takes one character more each time.
    private static bool MatchPart(string pattern, string text)
    {
        int p = 0;
        int t = 0;
        int star = -1;
        int starText = 0;
        while (t < text.Length)
        {
            if (p < pattern.Length && pattern[p] == '*')
            {
                star = ++p;
                starText = t;
            }
            else if (p < pattern.Length && MatchOne(pattern, p, text[t], out int next))
            {
                p = next;
                t++;
            }
            else if (star >= 0)
            {
                p = star;
                t = ++starText;
            }
            else
            {
                return false;
            }
        }

        return pattern.AsSpan(p).Trim('*').IsEmpty;
    }

    private static bool MatchOne(string pattern, int p, char c, out int next)
    {
        switch (pattern[p])
        {
            case '?':
                next = p + 1;
                return true;
            case '\\':
                next = p + 2;
                return pattern[p + 1] == c;
            case '[':
                int end = SetEnd(pattern, p);
                next = end + 1;
                return InSet(pattern.AsSpan(p + 1, end - p - 1), c);
            default:
                next = p + 1;
                return pattern[p] == c;
        }
    }

    private static bool InSet(ReadOnlySpan<char> set, char c)
    {
        bool negated = set[0] is '!' or '^' && set.Length > 1;
        set = negated ? set[1..] : set;
        bool found = false;
        for (int i = 0; i < set.Length; i++)
        {
            if (i + 2 < set.Length && set[i + 1] == '-')
            {
                found |= c >= set[i] && c <= set[i + 2];
                i += 2;
            }
            else
            {
                found |= set[i] == c;
            }
        }

        return found != negated;
    }
}
