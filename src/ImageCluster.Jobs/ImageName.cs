using System.Security.Cryptography;
using System.Text;

namespace ImageCluster.Jobs;

/// <summary>
/// An image as jobs name it: a root and a path in it, written <c>root:path</c>. In a cluster the root is a name that every node maps to
/// a mount of its own; on one machine it may also be a directory. The path has '/' between its parts, is relative, and has no
/// empty, '.' or '..' part.
/// </summary>
public sealed record ImageName : IComparable<ImageName>
{
    /// <summary>Longest path in characters (Linux's PATH_MAX).</summary>
    public const int MaxPathLength = 4096;

    /// <exception cref="ArgumentException">The root is empty, or the path is not as described above.</exception>
    public ImageName(string root, string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(root);
        if (PathProblem(path) is { } problem)
        {
            throw new ArgumentException($"'{path}' {problem}", nameof(path));
        }

        Root = root;
        Path = path;
    }

    public string Root { get; }

    public string Path { get; }

    /// <summary>The file's name with its extension.</summary>
    public string FileName => Path[(Path.LastIndexOf('/') + 1)..];

    /// <summary>
    /// A key for entities and tables that is as good as the name and has no characters of it: 32 hexadecimal digits of the SHA-256
    /// of its text.
    /// </summary>
    public string Key => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(ToString())).AsSpan(0, 16));

    /// <summary>Reads <c>root:path</c> where the root is a name, as <see cref="Manifests.RootReference"/> has it; false for anything else.</summary>
    public static bool TryParse(string? text, out ImageName? name)
    {
        name = null;
        int colon = text?.IndexOf(':') ?? -1;
        if (colon <= 0 || !Manifests.RootReference.IsValidName(text.AsSpan(0, colon)) || PathProblem(text![(colon + 1)..]) is not null)
        {
            return false;
        }

        name = new ImageName(text[..colon], text[(colon + 1)..]);
        return true;
    }

    /// <summary>What is wrong with a path inside a root, to be said after the path; null where it is good.</summary>
    public static string? PathProblem(string path)
    {
        if (path.Length == 0)
        {
            return "is empty";
        }

        if (path.Length > MaxPathLength)
        {
            return $"is longer than {MaxPathLength:#,0} characters";
        }

        if (path.AsSpan().ContainsAnyInRange('\0', '\x1f'))
        {
            return "has a control character";
        }

        if (path[0] == '/')
        {
            return "is absolute; paths are relative to their root";
        }

        foreach (Range part in path.AsSpan().Split('/'))
        {
            switch (path[part])
            {
                case "":
                    return path.EndsWith('/') ? "names a directory" : "has an empty part";
                case ".":
                    return "has a '.' part";
                case "..":
                    return "has a '..' part, which could leave the root";
            }
        }

        return null;
    }

    public int CompareTo(ImageName? other)
    {
        int byRoot = string.CompareOrdinal(Root, other?.Root);
        return byRoot != 0 ? byRoot : string.CompareOrdinal(Path, other?.Path);
    }

    public override string ToString() => $"{Root}:{Path}";

    public static bool operator <(ImageName left, ImageName right) => left.CompareTo(right) < 0;

    public static bool operator >(ImageName left, ImageName right) => left.CompareTo(right) > 0;

    public static bool operator <=(ImageName left, ImageName right) => left.CompareTo(right) <= 0;

    public static bool operator >=(ImageName left, ImageName right) => left.CompareTo(right) >= 0;
}
