using System.Text.Json;
using CsCheck;
using ImageCluster.Imaging.Operations;
using ImageCluster.Testing;
using ImageCluster.Imaging.Chains;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.BlockTables;

/// <summary>What holds for every format that is only read; a format's own class builds an image by hand.</summary>
public abstract class ReadOnlyFormatTests(string format) : IDisposable
{
    private readonly TempDirectory _directory = new();

    protected string this[string name] => _directory[name];

    public void Dispose()
    {
        _directory.Dispose();
        GC.SuppressFinalize(this);
    }

    [SkippableFact]
    public void TheEngineAndQemuReadWhatWasPutIn()
    {
        QemuTools.Require();
        byte[] image = Build(out byte[] guest);
        File.WriteAllBytes(this["image"], image);
        File.WriteAllBytes(this["raw"], guest);
        QemuTools.Img("compare", "-f", "raw", "-F", format, this["raw"], this["image"]);
        using LayeredDisk disk = Open(image);
        Assert.True(guest.AsSpan().SequenceEqual(FormatKit.ReadAll(disk)));
        Assert.True(guest.AsSpan().SequenceEqual(FormatKit.ReadByExtents(disk)));
        Random random = new(3);
        for (int i = 0; i < 30; i++)
        {
            int from = random.Next(guest.Length);
            byte[] part = new byte[random.Next(1, guest.Length - from + 1)];
            disk.Read(from, part);
            Assert.True(part.AsSpan().SequenceEqual(guest.AsSpan(from, part.Length)), $"{part.Length} bytes at {from}");
        }
    }

    [SkippableFact]
    public void MapIsThatOfQemu()
    {
        QemuTools.Require();
        byte[] image = Build(out _);
        File.WriteAllBytes(this["image"], image);
        using LayeredDisk disk = Open(image);
        BlockStatus ours = BlockStatus.At(disk, 0, disk.VirtualSize);
        JsonElement theirs = JsonDocument.Parse(QemuTools.Img("map", "-f", format, "--output=json", this["image"])).RootElement;
        Assert.Equal(1, theirs.GetArrayLength());
        Assert.Equal((ours.Length, ours.Present, ours.Zero, ours.Data), (theirs[0].GetProperty("length").GetInt64(),
            theirs[0].GetProperty("present").GetBoolean(), theirs[0].GetProperty("zero").GetBoolean(), theirs[0].GetProperty("data").GetBoolean()));
        Assert.False(theirs[0].TryGetProperty("offset", out _));
        Assert.Equal(-1, ours.HostOffset);
    }

    [SkippableFact]
    public void FieldsOutOfRangeAreRefusedAsQemuDoes()
    {
        QemuTools.Require();
        byte[] image = Build(out _);
        List<string?> differences = [];
        foreach (Field field in Fields(image))
        {
            foreach (ulong value in field.BadValues(image))
            {
                string what = $"{field.Name} = 0x{value:x}";
                byte[] bad = field.With(image, value);
                DamagedImages.Survive(format, bad, what);
                if (!IsBetterThanQemu(field, value))
                {
                    differences.Add(DamagedImages.CompareRefusal(format, bad, this["bad"], what));
                }
            }
        }

        Assert.Empty(differences.OfType<string>());
    }

    [Fact]
    public void TruncatedImagesAreRefusedOrReadRight()
    {
        byte[] image = Build(out byte[] guest);
        int[] cuts = [.. Boundaries(image), 0, 1, 127, 128, 511, 512, 513, image.Length / 3, image.Length / 2, image.Length - 513, image.Length - 1];
        foreach (int cut in cuts.Distinct().Where(cut => cut >= 0 && cut < image.Length))
        {
            DamagedImages.Survive(format, image[..cut], $"cut at {cut}", guest);
        }
    }

    [Fact]
    public void RandomDamageGivesNothingButClearErrors()
    {
        byte[] image = Build(out _);
        Gen.Select(Gen.Int[0, image.Length - 1], Gen.Byte).Array[1, 6].Holds(
            changes =>
            {
                byte[] bad = [.. image];
                foreach ((int at, byte value) in changes)
                {
                    bad[at] = value;
                }

                DamagedImages.Survive(format, bad, "damage at " + string.Join(", ", changes));
            },
            cases: 200);
    }

    [Fact]
    public void OpeningForWritingIsRefused()
    {
        MemoryLocator files = new() { ["image"] = Build(out _) };
        ImageException e = Assert.Throws<ImageException>(() => new FormatKit(format, files).Open("image", write: true));
        Assert.Equal("Image is read-only", e.Message);
        Assert.False(new FormatKit(format, files).Format.CanCreate);
    }

    /// <summary>Builds an image with data, zeros and gaps, and says what its guest sees.</summary>
    protected abstract byte[] Build(out byte[] guest);

    protected abstract IEnumerable<Field> Fields(byte[] image);

    protected virtual IEnumerable<int> Boundaries(byte[] image) => [];

    /// <summary>True where the engine refuses what qemu-img takes, or the other way round, for a reason.</summary>
    protected virtual bool IsBetterThanQemu(Field field, ulong value) => false;

    protected LayeredDisk Open(byte[] image) => new FormatKit(format, new MemoryLocator { ["image"] = image }).Open("image");
}
