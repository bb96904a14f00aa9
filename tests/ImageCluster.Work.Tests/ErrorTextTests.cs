using ImageCluster.Imaging;

namespace ImageCluster.Work.Tests;

public sealed class ErrorTextTests
{
    [Fact]
    public void TheFileStandsFirstAndTheHintLast() => Assert.Equal(
        "a.qcow2: L1 table is too large. Look at it.",
        ErrorText.Of(new ImageException(ImageErrorKind.Limit, "a.qcow2", "L1 table is too large") { Hint = "look at it" }));

    [Fact]
    public void TheFileIsNamedOnce()
    {
        var e = new ImageException(ImageErrorKind.NotFound, "/x/a", "Could not open '/x/a': No such file or directory");
        Assert.Equal("Could not open '/x/a': No such file or directory", ErrorText.Of(e));
        Assert.Equal("bad", ErrorText.Of(new ImageException(ImageErrorKind.Corrupt, "/x/a", "bad"), known: "/x/a"));
        Assert.Equal("/x/base: bad", ErrorText.Of(new ImageException(ImageErrorKind.Corrupt, "/x/base", "bad"), known: "/x/a"));
    }

    [Fact]
    public void NothingInANameReachesTheTerminalAsACommand() => Assert.Equal(@"a\x0ab\x1b[2J\x9b.", ErrorText.OneLine("a\nb\u001b[2J\u009b."));
}
