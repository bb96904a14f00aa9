using System.Text;
using System.Text.RegularExpressions;
using CsCheck;
using ImageCluster.Testing;
using ImageCluster.Jobs.Manifests;

namespace ImageCluster.Jobs.Tests.Manifests;

public class PathGlobTests
{
    [Theory]
    [InlineData("*.vmdk", "a.vmdk", true)]
    [InlineData("*.vmdk", "x/a.vmdk", false)]
    [InlineData("**/*.vmdk", "a.vmdk", true)]
    [InlineData("**/*.vmdk", "x/y/a.vmdk", true)]
    [InlineData("**/*.vmdk", "x/y/a.vmdk2", false)]
    [InlineData("x/**", "x", true)]
    [InlineData("x/**", "x/y/z", true)]
    [InlineData("x/**/z", "x/z", true)]
    [InlineData("x/**/z", "x/a/b/z", true)]
    [InlineData("x/**/z", "y/z", false)]
    [InlineData("a**b", "axxb", true)]
    [InlineData("a**b", "ax/xb", false)]
    [InlineData("{prod,stage}/*", "prod/a", true)]
    [InlineData("{prod,stage}/*", "test/a", false)]
    [InlineData("{a/b,c}/d", "a/b/d", true)]
    [InlineData("disk-[0-9]?.img", "disk-7x.img", true)]
    [InlineData("disk-[0-9]?.img", "disk-x7.img", false)]
    [InlineData("[!a]b", "ab", false)]
    [InlineData("[!a]b", "cb", true)]
    [InlineData("[]]", "]", true)]
    [InlineData("\\*", "*", true)]
    [InlineData("\\*", "a", false)]
    [InlineData("A", "a", false)]
    public void Matches_as_documented(string pattern, string path, bool matches)
    {
        Assert.True(PathGlob.TryParse(pattern, out PathGlob? glob, out string problem), problem);
        Assert.Equal(matches, glob!.IsMatch(path));
    }

    [Theory]
    [InlineData("")]
    [InlineData("/a")]
    [InlineData("a//b")]
    [InlineData("a/../b")]
    [InlineData("./a")]
    [InlineData("a/")]
    [InlineData("a\\")]
    [InlineData("[a")]
    [InlineData("[]")]
    [InlineData("[!]")]
    [InlineData("{a")]
    [InlineData("a}")]
    [InlineData("{a,{b}}")]
    [InlineData("{0,1,2,3,4,5,6,7,8,9}{0,1,2,3,4,5,6,7,8,9}{0,1,2,3,4,5,6,7,8,9}")]
    public void Bad_patterns_are_refused(string pattern)
    {
        Assert.False(PathGlob.TryParse(pattern, out _, out string problem));
        Assert.NotEmpty(problem);
    }

    [Fact]
    public void Agrees_with_regular_expressions() =>
        Gen.Select(Gen.String[Gen.OneOf('a', 'b', '*', '?', '/', '.'), 1, 12], Gen.String[Gen.OneOf('a', 'b', '/', '.'), 1, 12])
            .Holds((pattern, path) => !PathGlob.TryParse(pattern, out PathGlob? glob, out _) || ImageName.PathProblem(path) is not null ||
                glob!.IsMatch(path) == ReferenceMatch(pattern, path), cases: 50_000);

    [Fact]
    public void An_escaped_path_matches_just_itself() =>
        Gen.Select(Gen.String[Gen.OneOf('a', '*', '[', ']', '{', '}', '\\', '!', ',', '?'), 1, 8], Gen.String[Gen.OneOf('a', '*', '[', '{', '\\'), 1, 8])
            .Holds((path, other) => PathGlob.TryParse(PathGlob.Escape(path), out PathGlob? glob, out _) &&
                glob!.IsMatch(path) && glob.IsMatch(other) == (path == other));

    [Fact]
    public void A_hostile_pattern_takes_no_time()
    {
        string pattern = string.Concat(Enumerable.Repeat("**/*a*a*a*a*/", 40)) + "b";
        Assert.True(PathGlob.TryParse(pattern, out PathGlob? glob, out _));
        Assert.False(glob!.IsMatch(string.Concat(Enumerable.Repeat(new string('a', 20) + "/", 150)) + "c"));
    }

    // "**" parts take their slash along, so the path is matched with a slash before each part.
    private static bool ReferenceMatch(string pattern, string path)
    {
        var regex = new StringBuilder("^");
        foreach (string part in pattern.Split('/'))
        {
            regex.Append(part == "**" ? "(?:/[^/]+)*" : "/" + Regex.Escape(part).Replace("\\*", "[^/]*").Replace("\\?", "[^/]"));
        }

        return Regex.IsMatch("/" + path, regex.Append('$').ToString());
    }
}
