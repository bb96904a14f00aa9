using ImageCluster.Imaging;
using ImageCluster.Imaging.Storage;
using ImageCluster.Jobs;
using ImageCluster.Testing.Storage;
using ImageCluster.Work.Roots;

namespace ImageCluster.Work.Tests.Roots;

public sealed class RootMapTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void EveryFileHasOneName()
    {
        Directory.CreateDirectory(_directory["data/vm/sub"]);
        File.WriteAllText(_directory["data/vm/sub/a.img"], "");
        File.CreateSymbolicLink(_directory["data/link.img"], _directory["data/vm/sub/a.img"]);
        Directory.CreateSymbolicLink(_directory["mount"], _directory["data"]);
        var roots = new RootMap(new Dictionary<string, string>
        {
            ["all"] = _directory["mount"],
            ["vm"] = _directory["data/vm"],
            ["again"] = _directory["mount/vm"],
        });
        foreach (string path in new[] { "data/vm/sub/a.img", "data/link.img", "mount/vm/sub/a.img", "mount/link.img", "data/vm/../vm/./sub/a.img" })
        {
            // Of two roots that are one directory the first by name.
            Assert.Equal(new ImageName("again", "sub/a.img"), roots.NameOf(_directory[path]));
        }

        Assert.Equal(new ImageName("all", "other.img"), roots.NameOf(_directory["data/other.img"]));
        Assert.Null(roots.NameOf(_directory["elsewhere"]));
        Assert.Null(roots.NameOf(_directory["data"]));
        Assert.Null(roots.NameOf(_directory["database.img"]));
        Assert.Equal(_directory["data/vm/x/y"], roots.PathOf(new ImageName("vm", "x/y")));
    }

    [Fact]
    public void FilesAreFoundInTheRootsAlone()
    {
        Directory.CreateDirectory(_directory["data"]);
        File.WriteAllText(_directory["data/a"], "a");
        File.WriteAllText(_directory["secret"], "s");
        File.CreateSymbolicLink(_directory["data/link"], _directory["secret"]);
        var roots = new RootMap(new Dictionary<string, string> { ["r"] = _directory["data"] });
        roots.Locator.Open(_directory["data/a"], OpenMode.ReadOnly).Dispose();
        foreach (string path in new[] { "secret", "data/../secret", "data/link" })
        {
            Assert.Equal(ImageErrorKind.Policy, Assert.Throws<ImageException>(() => roots.Locator.Open(_directory[path], OpenMode.ReadOnly)).Kind);
        }

        Assert.Equal("This node does not reach the root 'other'", Assert.Throws<ImageException>(() => roots.PathOf(new ImageName("other", "a"))).Message);
    }
}
