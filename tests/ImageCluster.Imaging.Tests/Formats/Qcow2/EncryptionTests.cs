using System.Text.Json;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Formats.Qcow2;
using ImageCluster.Imaging.Operations;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Tests.Formats.Filling;
using ImageCluster.Imaging.Tests.Formats.Luks;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2;

/// <summary>Encrypted qcow2 images, LUKS and the legacy AES, against qemu-img.</summary>
public sealed class EncryptionTests : IDisposable
{
    private const int Size = (3 << 20) + 1536;

    private readonly TempDirectory _directory = new();

    public static TheoryData<string> Options => new(
        "encrypt.format=aes",
        "encrypt.format=aes,cluster_size=512,compat=0.10",
        "encrypt.format=luks",
        "encrypt.format=luks,compat=0.10,cluster_size=4k",
        "encrypt.format=luks,cluster_size=2M,encrypt.cipher-mode=cbc,encrypt.ivgen-alg=essiv",
        "encrypt.format=luks,extended_l2=on,encrypt.cipher-alg=aes-128",
        "encrypt.format=luks,preallocation=metadata",
        "encrypt.format=aes,compat=0.10,preallocation=metadata");

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [InlineData("encrypt.format=aes")]
    [InlineData("encrypt.format=luks")]
    public void ReadsQemusImages(string options)
    {
        QemuTools.Require();
        (string raw, byte[] content) = MakeRaw(1);
        string image = _directory["a.qcow2"];
        string time = options.Contains("luks", StringComparison.Ordinal) ? ",encrypt.iter-time=10" : "";
        LuksTestImages.Img("convert", "-f", "raw", "-O", "qcow2", "-o", $"encrypt.key-secret=s{time},{options}", raw, image);
        Qcow2TestImages.AssertSame(content, ReadAll(image));
        AssertSameInfo(image);
    }

    [SkippableTheory]
    [MemberData(nameof(Options))]
    public void ReadsWhatQemuWrote(string options)
    {
        QemuTools.Require();
        (string raw, byte[] content) = MakeRaw(2);
        string image = _directory["a.qcow2"];
        new Qcow2Format().Create(Request(image, Size, options));
        AssertSameInfo(image);
        LuksTestImages.Img("convert", "-n", "-f", "raw", "--target-image-opts", raw, Opts(image));
        Qcow2TestImages.AssertSame(content, ReadAll(image));
        AssertClean(image);
    }

    [SkippableTheory]
    [MemberData(nameof(Options))]
    public void QemuReadsWhatWeFilled(string options)
    {
        QemuTools.Require();
        (string raw, byte[] content) = MakeRaw(3);
        string image = _directory["a.qcow2"];
        using (IFillTarget target = new Qcow2Format().CreateFill(Request(image, Size, options)))
        {
            LuksTestImages.Fill(target, content);
            target.Finish();
        }

        LuksTestImages.AssertEqualForQemu(raw, Opts(image));
        Qcow2TestImages.AssertSame(content, ReadAll(image));
        AssertClean(image);
        AssertSameInfo(image);
    }

    [SkippableTheory]
    [InlineData("encrypt.format=aes")]
    [InlineData("encrypt.format=luks")]
    [InlineData("encrypt.format=luks,extended_l2=on")]
    [InlineData("encrypt.format=luks,cluster_size=512")]
    public void QemuReadsWhatWeWroteInPlace(string options)
    {
        QemuTools.Require();
        string image = _directory["a.qcow2"];
        new Qcow2Format().Create(Request(image, Size, options));
        byte[] model = new byte[Size];
        using (LayeredDisk disk = new(Open(image, write: true)))
        {
            RandomWrites.Play(disk, model, count: 150, usual: 5000, longest: 600_000);
        }

        string raw = _directory["model.raw"];
        File.WriteAllBytes(raw, model);
        Qcow2TestImages.AssertSame(model, ReadAll(image));
        LuksTestImages.AssertEqualForQemu(raw, Opts(image));
        AssertClean(image);
    }

    [Theory]
    [InlineData("encrypt.format=aes")]
    [InlineData("encrypt.format=luks")]
    public void SeveralOpeningsFillOneTarget(string options)
    {
        string image = _directory["a.qcow2"];
        byte[] content = GuestContent.Make(Size, 5);
        CreateRequest request = Request(image, Size, options);
        using (IFillTarget target = new Qcow2Format().CreateFill(request))
        {
            ShardManifest? manifest;
            using (IFillTarget other = new Qcow2Format().OpenFill(request))
            {
                manifest = FillHelper.FillShard(other, 0, content, target.Room);
                other.Flush();
            }

            target.Publish(manifest!);
            target.Finish();
        }

        Qcow2TestImages.AssertSame(content, ReadAll(image));
    }

    [SkippableTheory]
    [InlineData("encrypt.format=luks,cluster_size=512,encrypt.cipher-alg=aes-128")]
    [InlineData("encrypt.format=luks,preallocation=metadata")]
    [InlineData("encrypt.format=aes")]
    public void AnEmptyImageIsLaidOutAsQemus(string options)
    {
        QemuTools.Require();
        string theirs = _directory["theirs.qcow2"];
        string ours = _directory["ours.qcow2"];
        bool isLuks = options.Contains("luks", StringComparison.Ordinal);
        LuksTestImages.Img("create", "-q", "-f", "qcow2", "-o", $"encrypt.key-secret=s,{options}{(isLuks ? ",encrypt.iter-time=10" : "")}", theirs, Size.ToString());
        new Qcow2Format().Create(Request(ours, Size, options));
        byte[] expected = File.ReadAllBytes(theirs);
        byte[] actual = File.ReadAllBytes(ours);
        Assert.Equal(expected.Length, actual.Length);

        // Everything but the LUKS header, which is random, is the same.
        int start = isLuks ? (int)((Qcow2Image)Open(theirs, null, describeOnly: true)).Metadata.Header.CryptoHeader!.Value.Offset : expected.Length;
        Assert.Equal(expected[..start], actual[..start]);
    }

    [SkippableTheory]
    [InlineData("encrypt.format=qq,encrypt.key-secret=s")]
    [InlineData("encrypt.key-secret=s")]
    [InlineData("encryption=on,encrypt.format=luks,encrypt.key-secret=s")]
    [InlineData("encryption=off,encrypt.key-secret=s")]
    [InlineData("encrypt.format=aes,encrypt.key-secret=s,encrypt.cipher-alg=aes-128")]
    [InlineData("encrypt.format=luks,encrypt.key-secret=s,encrypt.cipher-alg=foo")]
    [InlineData("encrypt.format=luks,encrypt.key-secret=s,encrypt.hash-alg=foo")]
    [InlineData("encrypt.format=luks")]
    [InlineData("encrypt.format=aes")]
    public void RefusesOptionsInQemusWords(string options)
    {
        QemuTools.Require();
        string image = _directory["a.qcow2"];
        ToolResult theirs = LuksTestImages.TryImg("create", "-q", "-f", "qcow2", "-o", options, image, "1M");
        Dictionary<string, string> given = options.Split(',').Select(o => o.Split('=', 2)).ToDictionary(o => o[0], o => o[1]);
        ImageException ours = Assert.Throws<ImageException>(() => new Qcow2Format().Create(new CreateRequest
        {
            FileName = image,
            Locator = LuksTestImages.Files,
            VirtualSize = 1 << 20,
            Options = given,
            Secret = option => given.ContainsKey(option) ? "abc"u8.ToArray() : null,
        }));
        Assert.Equal(theirs.Error, $"qemu-img: {image}: {ours.Message}\n");
    }

    [SkippableFact]
    public void MissingWrongAndMismatchedPasswordsAreRefusedInQemusWords()
    {
        QemuTools.Require();
        string luks = _directory["luks.qcow2"];
        string aes = _directory["aes.qcow2"];
        new Qcow2Format().Create(Request(luks, Size, "encrypt.format=luks"));
        new Qcow2Format().Create(Request(aes, Size, "encrypt.format=aes"));
        foreach (string image in (string[])[luks, aes])
        {
            LuksFormatTests.AssertSameRefusal(QemuTools.TryImg("convert", "-O", "raw", image, _directory["x"]), () => Open(image, null));
            LuksFormatTests.AssertSameRefusal(QemuTools.TryImg("check", image), () => Open(image, null, forCheck: true));
            string format = image == aes ? "luks" : "aes";
            LuksFormatTests.AssertSameRefusal(
                LuksTestImages.TryImg("map", "--image-opts", $"{Opts(image)},encrypt.format={format}"), () => Open(image, format: format));
            using IImageLayer described = Open(image, null, describeOnly: true);
            Assert.NotNull(described.DescribeSpecific());
        }

        LuksFormatTests.AssertSameRefusal(LuksTestImages.TryImg("map", "--image-opts", Opts(luks, "n")), () => Open(luks, "new"));
    }

    [SkippableFact]
    public void KeySlotsChangeAsQemus()
    {
        QemuTools.Require();
        string image = _directory["a.qcow2"];
        byte[] content = GuestContent.Make(Size, 6);
        using (IFillTarget target = new Qcow2Format().CreateFill(Request(image, Size, "encrypt.format=luks")))
        {
            LuksTestImages.Fill(target, content);
            target.Finish();
        }

        Amend(image, "abc", "encrypt.state=active,encrypt.new-secret=new,encrypt.keyslot=3,encrypt.iter-time=1");
        Amend(image, "new", "encrypt.state=inactive,encrypt.old-secret=abc");
        AssertSameInfo(image);
        Assert.Throws<ImageException>(() => Open(image));
        LuksTestImages.Img("map", "--output=json", "--image-opts", Opts(image, "n"));
        Assert.NotEqual(0, LuksTestImages.TryImg("map", "--output=json", "--image-opts", Opts(image)).ExitCode);
        Qcow2TestImages.AssertSame(content, ReadAll(image, "new"));

        string plain = _directory["plain.qcow2"];
        string aes = _directory["aes.qcow2"];
        new Qcow2Format().Create(Request(plain, Size, ""));
        new Qcow2Format().Create(Request(aes, Size, "encrypt.format=aes"));
        Assert.Equal("Can't amend encryption options - encryption not present",
            Assert.Throws<ImageException>(() => Amend(plain, "abc", "encrypt.state=active,encrypt.new-secret=new")).Message);
        Assert.Equal("Only LUKS encryption options can be amended",
            Assert.Throws<ImageException>(() => Amend(aes, "abc", "encrypt.state=active,encrypt.new-secret=new")).Message);
    }

    [SkippableTheory]
    [InlineData("encrypt.format=aes,cluster_size=512")]
    [InlineData("encrypt.format=luks,cluster_size=512")]
    [InlineData("encrypt.format=aes")]
    public void ZerosStayZerosInVersion2(string options)
    {
        QemuTools.Require();
        (string raw, _) = MakeRaw(7);
        string image = _directory["a.qcow2"];
        new Qcow2Format().Create(Request(image, Size, $"{options},backing_file={raw},backing_fmt=raw"));
        Io(image, "write -P 1 1M 100k", "write -z 0 200k", "write -z 1060k 200k", "write -z 3M 1k");
        LuksTestImages.Img("snapshot", "-c", "one", "--image-opts", Opts(image));
        Io(image, "write -P 2 100k 300k", "write -z 350k 200k", "write -z 2M 64k");
        byte[] now = Converted(image, "now.raw");
        byte[] then = Converted(image, "then.raw", "-l", "one");
        Amend(image, LuksTestImages.Password, "compat=0.10");
        Qcow2TestImages.AssertSame(now, Converted(image, "now.raw"));
        Qcow2TestImages.AssertSame(then, Converted(image, "then.raw", "-l", "one"));
        AssertClean(image);
    }

    [SkippableTheory]
    [InlineData("encrypt.format=luks,encrypt.cipher-alg=aes-128,cluster_size=512")]
    public void MeasuresAsQemu(string options)
    {
        QemuTools.Require();
        string theirs = LuksTestImages.Img("measure", "-O", "qcow2", "-o", options + ",encrypt.key-secret=s", "--size", "10M");
        MeasureRequest request = new()
        {
            VirtualSize = 10 << 20,
            Options = Request("", 0, options).Options,
            Secret = LuksTestImages.Secret(("encrypt.key-secret", "abc")),
        };
        MeasureResult ours = new Qcow2Format().Measure(request)!.Value;
        Assert.Equal(theirs, $"required size: {ours.Required}\nfully allocated size: {ours.FullyAllocated}\n");
        Assert.Throws<ImageException>(() => new Qcow2Format().Measure(new MeasureRequest { VirtualSize = 1, Options = request.Options }));
    }

    [SkippableTheory]
    [InlineData("encrypt.format=luks")]
    [InlineData("encrypt.format=aes")]
    public void TheMapNamesNoPlaces(string options)
    {
        QemuTools.Require();
        string image = _directory["a.qcow2"];
        byte[] content = new byte[Size];
        content.AsSpan(1 << 20, 1 << 20).Fill(7);
        using (IFillTarget target = new Qcow2Format().CreateFill(Request(image, Size, options)))
        {
            LuksTestImages.Fill(target, content);
            target.Finish();
        }

        JsonElement theirs = JsonDocument.Parse(LuksTestImages.Img("map", "--output=json", "--image-opts", Opts(image))).RootElement;
        Assert.All(theirs.EnumerateArray(), entry => Assert.False(entry.TryGetProperty("offset", out _)));
        using LayeredDisk disk = new(Open(image));
        int entries = 0;
        for (long at = 0; at < Size; entries++)
        {
            BlockStatus status = BlockStatus.At(disk, at, Size - at);
            Assert.Equal((-1, null), (status.HostOffset, status.HostFile));
            Assert.Equal(theirs[entries].GetProperty("data").GetBoolean(), status.Data);
            at = status.End;
        }

        Assert.Equal(theirs.GetArrayLength(), entries);
    }

    [Fact]
    public void CompressionIsRefused()
    {
        string image = _directory["a.qcow2"];
        CreateRequest request = Request(image, Size, "encrypt.format=luks");
        Assert.Throws<ImageException>(() => new Qcow2Format().CreateFill(new CreateRequest
        {
            FileName = image,
            Locator = request.Locator,
            VirtualSize = Size,
            Options = request.Options,
            Secret = request.Secret,
            Compress = true,
        }));
    }

    [Fact]
    public void ABrokenPlaceOfTheLuksHeaderIsRefused()
    {
        string image = _directory["a.qcow2"];
        new Qcow2Format().Create(Request(image, Size, "encrypt.format=luks"));
        byte[] good = File.ReadAllBytes(image);
        int extension = good.AsSpan().IndexOf((ReadOnlySpan<byte>)[0x05, 0x37, 0xBE, 0x77]);
        foreach (int at in (int[])[8, 16])
        {
            foreach (ulong value in (ulong[])[0, 1, 591, 65536, 1UL << 40, long.MaxValue, ulong.MaxValue])
            {
                byte[] bad = [.. good];
                System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(bad.AsSpan(extension + at), value);
                File.WriteAllBytes(image, bad);
                if (at == 16 && value is 1UL << 40 or 0)
                {
                    continue;
                }

                Assert.True(at == 16 && value == long.MaxValue || Record.Exception(() => Open(image).Dispose()) is ImageException, $"field {at}, value {value}");
            }
        }
    }

    private static void Io(string image, params string[] commands)
    {
        ToolResult result = QemuTools.TryIoOpts(Opts(image), LuksTestImages.Secrets, commands);
        Assert.True(result.ExitCode == 0, $"{result.Output}{result.Error}");
    }

    // As qemu-img reads it.
    private byte[] Converted(string image, string name, params string[] words)
    {
        LuksTestImages.Img("convert", [.. words, "--image-opts", "-O", "raw", Opts(image), _directory[name]]);
        return File.ReadAllBytes(_directory[name]);
    }

    private static string Opts(string path, string secret = "s") => $"driver=qcow2,encrypt.key-secret={secret},file.filename={path}";

    private static CreateRequest Request(string path, long size, string options) => new()
    {
        FileName = path,
        Locator = LuksTestImages.Files,
        VirtualSize = size,
        Options = (options.Contains("luks", StringComparison.Ordinal) ? options + ",encrypt.iter-time=1" : options)
            .Split(',', StringSplitOptions.RemoveEmptyEntries).Select(o => o.Split('=', 2)).ToDictionary(o => o[0], o => o[1]),
        Mode = OpenMode.ReadWrite with { Lock = ImageLock.None },
        Secret = LuksTestImages.Secret(("encrypt.key-secret", LuksTestImages.Password)),
    };

    private static IImageLayer Open(
        string path, string? password = LuksTestImages.Password, bool write = false, bool describeOnly = false, bool forCheck = false, string? format = null)
    {
        OpenMode mode = write ? OpenMode.ReadWrite : OpenMode.ReadOnly;
        return new Qcow2Format().Open(new OpenContext
        {
            File = LuksTestImages.Files.Open(path, mode),
            FileName = path,
            Locator = LuksTestImages.Files,
            Mode = mode,
            DescribeOnly = describeOnly,
            ForCheck = forCheck,
            Options = format is null ? [] : new Dictionary<string, string> { ["encrypt.format"] = format },
            Secret = password is null ? static _ => null : LuksTestImages.Secret(("encrypt.key-secret", password)),
        });
    }

    private static byte[] ReadAll(string path, string password = LuksTestImages.Password)
    {
        using LayeredDisk disk = new(Open(path, password));
        byte[] bytes = new byte[disk.VirtualSize];
        disk.Read(0, bytes);
        return bytes;
    }

    private static void Amend(string image, string password, string options)
    {
        using IImageLayer layer = Open(image, password, write: true);
        ((IAmendable)layer).Amend(new AmendRequest
        {
            Options = options.Split(',').Select(o => o.Split('=', 2)).ToDictionary(o => o[0], o => o[1]),
            Secret = LuksTestImages.Secret(("encrypt.new-secret", "new"), ("encrypt.old-secret", "abc")),
        });
    }

    private static void AssertClean(string image)
    {
        LuksTestImages.Img("check", "--image-opts", Opts(image));
        using IImageLayer layer = Open(image, forCheck: true);
        CheckReport report = ((ICheckable)layer).Check(CheckRepair.None);
        Assert.Equal((0, 0), (report.Corruptions, report.Leaks));
    }

    private static void AssertSameInfo(string image)
    {
        JsonElement theirs = JsonDocument.Parse(QemuTools.Img("info", "--output=json", image)).RootElement.GetProperty("format-specific");
        using IImageLayer layer = Open(image, null, describeOnly: true);
        Assert.Equal(LuksFormatTests.Text(theirs.GetProperty("data")), LuksFormatTests.Text(layer.DescribeSpecific()!));
    }

    private (string Path, byte[] Content) MakeRaw(int seed)
    {
        byte[] content = GuestContent.Make(Size, seed);
        string raw = _directory["a.raw"];
        File.WriteAllBytes(raw, content);
        return (raw, content);
    }
}
