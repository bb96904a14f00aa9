namespace ImageCluster.Jobs.Tests;

public class ImageNameTests
{
    [Theory]
    [InlineData("vm:a", "vm", "a")]
    [InlineData("vm:a:b/c", "vm", "a:b/c")]
    [InlineData("vm-1.x:dir/a b.img", "vm-1.x", "dir/a b.img")]
    public void Reads_root_and_path(string text, string root, string path)
    {
        Assert.True(ImageName.TryParse(text, out ImageName? name));
        Assert.Equal(new ImageName(root, path), name);
        Assert.Equal(text, name!.ToString());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("a")]
    [InlineData(":a")]
    [InlineData("vm:")]
    [InlineData("vm:/etc/passwd")]
    [InlineData("vm:../x")]
    [InlineData("vm:a/../../x")]
    [InlineData("vm:a//b")]
    [InlineData("vm:./b")]
    [InlineData("vm:a/")]
    [InlineData("vm:a\0b")]
    [InlineData("vm:a\nb")]
    [InlineData("/mnt:a")]
    [InlineData("-vm:a")]
    public void Refuses_what_could_leave_the_root(string? text) => Assert.False(ImageName.TryParse(text, out _));

    [Fact]
    public void Keys_differ_where_names_do_and_have_no_character_of_them()
    {
        string key = new ImageName("vm", "a/b").Key;
        Assert.Matches("^[0-9a-f]{32}$", key);
        Assert.NotEqual(key, new ImageName("vm", "a/c").Key);
        // Fixed forever: entities are found again by it.
        Assert.Equal("dcfdbde03ec7934318eb29bd7e11a28c", key);
    }
}
