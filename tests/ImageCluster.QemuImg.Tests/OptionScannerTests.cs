using ImageCluster.QemuImg.CommandLine;

namespace ImageCluster.QemuImg.Tests;

/// <summary>The scanner against what getopt_long does: clusters, joined arguments, beginnings of long names, operands in between.</summary>
public sealed class OptionScannerTests
{
    private static readonly OptionSpec[] Options =
    [
        new('q', null, null, ""), new('U', "force-share", null, ""), new('f', "format", "FMT", ""),
        new('\0', "object", "DEF", ""), new('\0', "output", "OFMT", ""),
    ];

    [Theory]
    [InlineData("a -q b", "q", "a b")]
    [InlineData("-qU a", "q U", "a")]
    [InlineData("-qfraw a", "q f=raw", "a")]
    [InlineData("-f raw a", "f=raw", "a")]
    [InlineData("a -f -q", "f=-q", "a")]
    [InlineData("--format=raw a", "f=raw", "a")]
    [InlineData("--form raw a", "f=raw", "a")]
    [InlineData("--forc a", "U", "a")]
    [InlineData("--format= a", "f=", "a")]
    [InlineData("-q -- -f a", "q", "-f a")]
    [InlineData("a -- -q", "", "a -q")]
    [InlineData("a -q b -U c", "q U", "a b c")]
    [InlineData("- -q", "q", "-")]
    [InlineData("--obj=x --outp y", "object=x output=y", "")]
    [InlineData("", "", "")]
    public void Takes(string line, string expected, string operands)
    {
        OptionScanner scanner = Scan(line);
        List<string> found = [];
        while (scanner.Next() is { } option)
        {
            found.Add(option.Option.Argument is null ? option.Key : $"{option.Key}={option.Argument}");
        }

        Assert.Equal(expected, string.Join(' ', found));
        Assert.Equal(operands, string.Join(' ', scanner.Operands.ToArray()));
    }

    [Theory]
    [InlineData("-Z", "unrecognized option '-Z'", "invalid option -- 'Z'")]
    [InlineData("-Zq", "unrecognized option 'cmd'", "invalid option -- 'Z'")]
    [InlineData("x -Zq", "unrecognized option 'x'", "invalid option -- 'Z'")]
    [InlineData("-qZ", "unrecognized option '-qZ'", "invalid option -- 'Z'")]
    [InlineData("--o=3", "unrecognized option '--o=3'", "option '--o=3' is ambiguous; possibilities: '--object' '--output'")]
    [InlineData("--nix", "unrecognized option '--nix'", "unrecognized option '--nix'")]
    [InlineData("--force-share=1", "unrecognized option '--force-share=1'", "option '--force-share' doesn't allow an argument")]
    [InlineData("-f", "missing argument for option '-f'", "option requires an argument -- 'f'")]
    [InlineData("a --format", "missing argument for option '--format'", "option '--format' requires an argument")]
    public void Refuses(string line, string message, string ownWords)
    {
        OptionScanner scanner = Scan(line);
        OptionException e = Assert.Throws<OptionException>(() =>
        {
            while (scanner.Next() is not null)
            {
            }
        });
        Assert.Equal(message, e.Message);
        Assert.Equal(ownWords, e.OwnWords);
    }

    private static OptionScanner Scan(string line) => new(Options, ["cmd", .. line.Split(' ', StringSplitOptions.RemoveEmptyEntries)]);
}
