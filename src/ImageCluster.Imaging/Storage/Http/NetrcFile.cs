using System.Text;

namespace ImageCluster.Imaging.Storage.Http;

/// <summary>
/// Files as curl, ftp and git read them: <c>machine HOST login NAME password SECRET</c>, words parted by blanks and line ends, comments from
/// <c>#</c> on, values in quotes where they have blanks, macros skipped. One word more than theirs: <c>token SECRET</c> is sent as a bearer token, and
/// a machine may have a port. The first entry that fits a host is the one.
/// </summary>
internal static class NetrcFile
{
    private const int MaxLength = 1 << 20;

    public static IReadOnlyList<NetrcEntry> Read(string path)
    {
        try
        {
            if (new FileInfo(path).Length > MaxLength)
            {
                throw new ImageException(ImageErrorKind.Limit, path, $"The credentials file '{path}' is larger than 1 MiB");
            }

            return Parse(File.ReadAllText(path), path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Native.Errno.Exception(e, path, $"Could not read the credentials file '{path}'");
        }
    }

    public static IReadOnlyList<NetrcEntry> Parse(string text, string path)
    {
        List<NetrcEntry> entries = [];
        NetrcEntry? entry = null;
        Queue<string> words = new(Words(text));
        while (words.TryDequeue(out string? word))
        {
            switch (word)
            {
                case "machine":
                    Add(entries, entry);
                    entry = new NetrcEntry(Value(words, word, path), null, null, null);
                    break;
                case "default":
                    Add(entries, entry);
                    entry = new NetrcEntry(null, null, null, null);
                    break;
                case "login" or "password" or "account" or "token":
                    NetrcEntry current = entry ?? throw Wrong(path, $"'{word}' stands before any 'machine'");
                    string value = Value(words, word, path);
                    entry = word switch
                    {
                        "login" => current with { Login = value },
                        "password" => current with { Password = value },
                        "token" => current with { Token = value },
                        _ => current,
                    };
                    break;
                default:
                    throw Wrong(path, "a word is none of machine, default, login, password, account, token");
            }
        }

        Add(entries, entry);
        return entries;
    }

    private static void Add(List<NetrcEntry> entries, NetrcEntry? entry)
    {
        if (entry is not null && (entry.Login is not null || entry.Token is not null))
        {
            entries.Add(entry);
        }
    }

    private static string Value(Queue<string> words, string of, string path) =>
        words.TryDequeue(out string? value) ? value : throw Wrong(path, $"nothing follows '{of}'");

    // What is wrong is told without the words themselves: they may be secrets.
    private static ImageException Wrong(string path, string what) =>
        new(ImageErrorKind.InvalidArgument, path, $"The credentials file '{path}' cannot be taken apart: {what}");

    private static IEnumerable<string> Words(string text)
    {
        bool inMacro = false;
        foreach (string line in text.Split('\n'))
        {
            if (inMacro)
            {
                // A macro ends with an empty line.
                inMacro = line.AsSpan().Trim().Length > 0;
                continue;
            }

            for (int at = 0; TryWord(line, ref at, out string word);)
            {
                if (word == "macdef")
                {
                    inMacro = true;
                    break;
                }

                yield return word;
            }
        }
    }

    private static bool TryWord(string line, ref int at, out string word)
    {
        word = "";
        while (at < line.Length && char.IsWhiteSpace(line[at]))
        {
            at++;
        }

        if (at == line.Length || line[at] == '#')
        {
            return false;
        }

        bool quoted = line[at] == '"';
        at += quoted ? 1 : 0;
        StringBuilder value = new();
        for (; at < line.Length && (quoted ? line[at] != '"' : !char.IsWhiteSpace(line[at])); at++)
        {
            if (quoted && line[at] == '\\' && at + 1 < line.Length)
            {
                at++;
            }

            value.Append(line[at]);
        }

        at += quoted ? 1 : 0;
        word = value.ToString();
        return true;
    }
}
