using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Luks;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Luks;

/// <summary>Key slots are added and erased as qemu-img amend does, and refused in its words.</summary>
public sealed class LuksAmendTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [SkippableFact]
    public void QemuKnowsTheKeysWeSet()
    {
        QemuTools.Require();
        string image = MakeImage();
        Amend(image, "abc", "state=active,new-secret=n,iter-time=1");
        Assert.Equal([0, 1], ActiveSlots(image));
        Assert.True(QemuOpens(image, "s") && QemuOpens(image, "n"));
        Amend(image, "new", "state=inactive,keyslot=0");
        Assert.Equal([1], ActiveSlots(image));
        Assert.False(QemuOpens(image, "s"));
        Assert.True(QemuOpens(image, "n"));
        Amend(image, "new", "state=active,new-secret=s,iter-time=1");
        Amend(image, "new", "state=inactive,old-secret=n");
        Assert.True(QemuOpens(image, "s"));
        Assert.False(QemuOpens(image, "n"));
    }

    [SkippableFact]
    public void WeKnowTheKeysQemuSets()
    {
        QemuTools.Require();
        string image = MakeImage();
        LuksTestImages.Img("amend", "-o", "state=active,new-secret=n,iter-time=10,keyslot=5", "--image-opts", LuksTestImages.Opts(image));
        Assert.Equal([0, 5], ActiveSlots(image));
        LuksTestImages.Open(image, "new").Dispose();
        LuksTestImages.Img("amend", "-o", "state=inactive,old-secret=s", "--image-opts", LuksTestImages.Opts(image, "n"));
        LuksTestImages.Open(image, "new").Dispose();
        Assert.Throws<ImageException>(() => LuksTestImages.Open(image));
    }

    [SkippableTheory]
    [InlineData("new-secret=n")]
    [InlineData("state=active")]
    [InlineData("state=foo,new-secret=n")]
    [InlineData("state=active,new-secret=n,keyslot=0")]
    [InlineData("state=active,new-secret=n,keyslot=9")]
    [InlineData("state=active,new-secret=n,keyslot=-1")]
    [InlineData("state=active,new-secret=n,old-secret=s")]
    [InlineData("state=inactive")]
    [InlineData("state=inactive,new-secret=n")]
    [InlineData("state=inactive,iter-time=10")]
    [InlineData("state=inactive,keyslot=7")]
    [InlineData("state=inactive,keyslot=9")]
    [InlineData("state=inactive,keyslot=0")]
    [InlineData("state=inactive,keyslot=0,old-secret=n")]
    [InlineData("state=inactive,old-secret=n")]
    [InlineData("state=inactive,old-secret=s")]
    public void RefusesInQemusWords(string options)
    {
        QemuTools.Require();
        string image = MakeImage();
        byte[] before = File.ReadAllBytes(image);
        ToolResult theirs = LuksTestImages.TryImg("amend", "-o", options, "--image-opts", LuksTestImages.Opts(image));
        ImageException ours = Assert.Throws<ImageException>(() => Amend(image, "abc", options));
        Assert.Equal(theirs.Error, $"qemu-img: {ours.Message}\n");
        Assert.Equal(before, File.ReadAllBytes(image));
    }

    [SkippableFact]
    public void FullAndForced()
    {
        QemuTools.Require();
        string image = MakeImage();
        for (int slot = 1; slot < 8; slot++)
        {
            Amend(image, "abc", "state=active,new-secret=n,iter-time=1");
        }

        ToolResult theirs = LuksTestImages.TryImg("amend", "-o", "state=active,new-secret=n", "--image-opts", LuksTestImages.Opts(image));
        Assert.Equal(theirs.Error, $"qemu-img: {Assert.Throws<ImageException>(() => Amend(image, "abc", "state=active,new-secret=n")).Message}\n");
        Amend(image, "new", "state=active,new-secret=n,keyslot=0,iter-time=1", force: true);
        Assert.False(QemuOpens(image, "s"));
        Amend(image, "new", "state=inactive,old-secret=n", force: true);
        Assert.Empty(ActiveSlots(image));
    }

    [Fact]
    public void AnErasedKeyIsNowhereInTheFile()
    {
        string image = MakeImage();
        Amend(image, "abc", "state=active,new-secret=n,iter-time=1");
        byte[] before = File.ReadAllBytes(image);
        Amend(image, "abc", "state=inactive,keyslot=1");
        byte[] after = File.ReadAllBytes(image);
        int material = 4096 + (504 * 512);
        int same = before.AsSpan(material, 64 * 4000).ToArray().Zip(after.AsSpan(material, 64 * 4000).ToArray()).Count(pair => pair.First == pair.Second);
        Assert.InRange(same, 0, 64 * 4000 / 100);
    }

    private static void Amend(string image, string password, string options, bool force = false)
    {
        using IImageLayer layer = LuksTestImages.Open(image, password, write: true);
        Dictionary<string, string> values = options.Split(',').Select(o => o.Split('=', 2)).ToDictionary(o => o[0], o => o[1]);
        ((IAmendable)layer).Amend(new AmendRequest
        {
            Options = values,
            Force = force,
            Secret = option => values.GetValueOrDefault(option) switch { "s" => "abc"u8.ToArray(), "n" => "new"u8.ToArray(), _ => null },
        });
    }

    private static int[] ActiveSlots(string image)
    {
        using IImageLayer layer = LuksTestImages.Open(image, null, describeOnly: true);
        IEnumerable<object> slots = (IEnumerable<object>)layer.DescribeSpecific()!.Fields.First(f => f.Key == "slots").Value;
        return [.. slots.Cast<FormatSpecificInfo>().Index().Where(s => (bool)s.Item.Fields.First(f => f.Key == "active").Value).Select(s => s.Index)];
    }

    private static bool QemuOpens(string image, string secret) =>
        LuksTestImages.TryImg("map", "--output=json", "--image-opts", LuksTestImages.Opts(image, secret)).ExitCode == 0;

    private string MakeImage()
    {
        string image = _directory["a.luks"];
        new LuksFormat().Create(LuksTestImages.Request(image, 1 << 20));
        return image;
    }
}
