using System.Diagnostics;
using System.Text.Json;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Formats.Luks;
using ImageCluster.Imaging.Tests.Formats.Filling;
using ImageCluster.Imaging.Tests.Formats.Qcow2;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Luks;

/// <summary>LUKS images against qemu-img and cryptsetup.</summary>
public sealed class LuksFormatTests : IDisposable
{
    private const int Size = 700 * 512;

    private readonly TempDirectory _directory = new();

    public static TheoryData<string> Options => new(
        "",
        "cipher-alg=aes-128",
        "cipher-alg=aes-192,hash-alg=sha512",
        "ivgen-alg=plain,hash-alg=sha1",
        "ivgen-alg=essiv",
        "cipher-mode=cbc,ivgen-alg=essiv,cipher-alg=aes-128,hash-alg=sha384",
        "cipher-mode=cbc,ivgen-alg=plain64,ivgen-hash-alg=sha1",
        "cipher-mode=ctr",
        "cipher-mode=ctr,ivgen-alg=essiv",
        "cipher-mode=ecb,cipher-alg=aes-256",
        "cipher-alg=serpent-128",
        "cipher-alg=serpent-192,hash-alg=md5",
        "cipher-alg=serpent-256,cipher-mode=cbc,ivgen-alg=essiv,ivgen-hash-alg=sha256",
        "cipher-alg=serpent-256,ivgen-alg=plain,hash-alg=sha224",
        "cipher-alg=twofish-128,cipher-mode=cbc,ivgen-alg=essiv,ivgen-hash-alg=md5",
        "cipher-alg=twofish-192",
        "cipher-alg=twofish-256,cipher-mode=ctr",
        "cipher-alg=twofish-256,hash-alg=ripemd160",
        "cipher-alg=cast5-128,cipher-mode=cbc",
        "cipher-alg=cast5-128,cipher-mode=cbc,ivgen-alg=plain,hash-alg=ripemd160",
        "cipher-alg=cast5-128,cipher-mode=ctr",
        "cipher-alg=cast5-128,cipher-mode=ecb,hash-alg=sha512");

    public void Dispose() => _directory.Dispose();

    // QEMU takes seconds to make an image, so only some are made by it whole; of the others it writes the payload.
    [SkippableTheory]
    [InlineData("")]
    [InlineData("cipher-mode=cbc,ivgen-alg=essiv,cipher-alg=aes-128,hash-alg=sha512")]
    [InlineData("cipher-alg=serpent-256,hash-alg=sha224,cipher-mode=cbc,ivgen-alg=essiv")]
    [InlineData("cipher-alg=cast5-128,hash-alg=md5,cipher-mode=cbc,ivgen-alg=plain")]
    public void ReadsQemusImages(string options)
    {
        QemuTools.Require();
        (string raw, byte[] content) = MakeRaw(1);
        string image = _directory["a.luks"];
        LuksTestImages.Img("convert", "-f", "raw", "-O", "luks", "-o", $"key-secret=s,iter-time=10{(options.Length > 0 ? "," : "")}{options}", raw, image);
        Qcow2TestImages.AssertSame(content, LuksTestImages.ReadAll(image));
        AssertSameInfo(image);
    }

    [SkippableTheory]
    [MemberData(nameof(Options))]
    public void ReadsWhatQemuWrote(string options)
    {
        QemuTools.Require();
        (string raw, byte[] content) = MakeRaw(2);
        string image = _directory["a.luks"];
        new LuksFormat().Create(LuksTestImages.Request(image, Size, options));
        LuksTestImages.Img("convert", "-n", "-f", "raw", "--target-image-opts", raw, LuksTestImages.Opts(image));
        Qcow2TestImages.AssertSame(content, LuksTestImages.ReadAll(image));
        CompareAtRandom(image, content, 2);
    }

    [SkippableTheory]
    [MemberData(nameof(Options))]
    public void QemuReadsOurs(string options)
    {
        QemuTools.Require();
        (string raw, byte[] content) = MakeRaw(3);
        string image = _directory["a.luks"];
        using (IFillTarget target = new LuksFormat().CreateFill(LuksTestImages.Request(image, Size, options)))
        {
            Assert.Equal(0, new LuksFormat().Probe(File.ReadAllBytes(image).AsSpan(0, 512), image));
            LuksTestImages.Fill(target, content);
            target.Finish();
        }

        Assert.Equal(100, new LuksFormat().Probe(File.ReadAllBytes(image).AsSpan(0, 512), image));
        LuksTestImages.AssertEqualForQemu(raw, LuksTestImages.Opts(image));
        Qcow2TestImages.AssertSame(content, LuksTestImages.ReadAll(image));
        AssertSameInfo(image);
    }

    [SkippableFact]
    public void QemuReadsWhatWeWroteInPlace()
    {
        QemuTools.Require();
        string image = _directory["a.luks"];
        new LuksFormat().Create(LuksTestImages.Request(image, Size));
        byte[] model = LuksTestImages.ReadAll(image);
        using (LayeredDisk disk = new(LuksTestImages.Open(image, write: true)))
        {
            RandomWrites.Play(disk, model, count: 200, usual: 2000, longest: 300_000);
        }

        string raw = _directory["model.raw"];
        File.WriteAllBytes(raw, model);
        LuksTestImages.AssertEqualForQemu(raw, LuksTestImages.Opts(image));
        Qcow2TestImages.AssertSame(model, LuksTestImages.ReadAll(image));
    }

    [Fact]
    public async Task PartsOfASectorCanBeWrittenAtOnce()
    {
        string image = _directory["a.luks"];
        new LuksFormat().Create(LuksTestImages.Request(image, Size));
        using (LayeredDisk disk = new(LuksTestImages.Open(image, write: true)))
        {
            await Parallel.ForAsync(0, 4096, async (i, _) =>
            {
                await Task.Yield();
                disk.Write(i, [(byte)i]);
            });
        }

        Assert.Equal(Enumerable.Range(0, 4096).Select(i => (byte)i), LuksTestImages.ReadAll(image).Take(4096));
    }

    [SkippableTheory]
    [InlineData("cipher-mode=cbc,ivgen-alg=essiv")]
    [InlineData("hash-alg=ripemd160")]
    [InlineData("hash-alg=sha224")]
    [InlineData("cipher-alg=aes-192,cipher-mode=cbc,hash-alg=sha1")]
    public void CryptsetupOpensOurs(string options)
    {
        Skip.IfNot(File.Exists("/usr/sbin/cryptsetup"), "cryptsetup is not installed");
        string image = _directory["a.luks"];
        new LuksFormat().Create(LuksTestImages.Request(image, 1 << 20, options));
        Assert.Equal(0, Cryptsetup(LuksTestImages.Password, "luksOpen", "--test-passphrase", image));
        Assert.NotEqual(0, Cryptsetup("wrong", "luksOpen", "--test-passphrase", image));
        Assert.Equal(0, Cryptsetup("", "luksDump", image));
    }

    // The kernel must have a cipher for cryptsetup to use it: of others it only tells.
    [SkippableTheory]
    [InlineData("serpent", "cipher-alg=serpent-256,hash-alg=ripemd160")]
    [InlineData("twofish", "cipher-alg=twofish-128")]
    [InlineData("cast5", "cipher-alg=cast5-128,cipher-mode=cbc,ivgen-alg=plain")]
    public void CryptsetupKnowsOurs(string cipher, string options)
    {
        Skip.IfNot(File.Exists("/usr/sbin/cryptsetup"), "cryptsetup is not installed");
        string image = _directory["a.luks"];
        new LuksFormat().Create(LuksTestImages.Request(image, 1 << 20, options));
        Assert.Equal(0, Cryptsetup("", out string dump, "luksDump", image));
        Assert.Matches($@"Cipher name:\s+{cipher}\n", dump);
        Assert.Contains("Key Slot 0: ENABLED", dump, StringComparison.Ordinal);
    }

    // QEMU fails an assertion on key material that ends within a sector.
    [Theory]
    [InlineData("cipher-alg=aes-192,cipher-mode=cbc")]
    [InlineData("cipher-alg=twofish-192,cipher-mode=ctr")]
    public void KeyMaterialMayEndWithinASector(string options)
    {
        string image = _directory["a.luks"];
        byte[] content = GuestContent.Make(Size, 9);
        using (IFillTarget target = new LuksFormat().CreateFill(LuksTestImages.Request(image, Size, options)))
        {
            LuksTestImages.Fill(target, content);
            target.Finish();
        }

        Qcow2TestImages.AssertSame(content, LuksTestImages.ReadAll(image));
    }

    [SkippableFact]
    public void OpensCryptsetups()
    {
        Skip.IfNot(File.Exists("/usr/sbin/cryptsetup"), "cryptsetup is not installed");
        string image = _directory["a.luks"];
        File.WriteAllBytes(image, new byte[3 << 20]);
        Skip.IfNot(Cryptsetup(LuksTestImages.Password, "luksFormat", "--type", "luks1", "--pbkdf-force-iterations", "1000", "-q", image) == 0,
            "cryptsetup cannot format files here");
        using IImageLayer layer = LuksTestImages.Open(image);
        Assert.True(layer.VirtualSize > 0);
        Assert.Throws<ImageException>(() => LuksTestImages.Open(image, "wrong"));
    }

    [SkippableTheory]
    [InlineData(1000)]
    public void AnEmptyImageIsAsLongAsQemus(int size)
    {
        QemuTools.Require();
        string theirs = _directory["theirs.luks"];
        string ours = _directory["ours.luks"];
        LuksTestImages.Img("create", "-q", "-f", "luks", "-o", "key-secret=s,iter-time=10", theirs, size.ToString());
        new LuksFormat().Create(LuksTestImages.Request(ours, size));
        Assert.Equal(new FileInfo(theirs).Length, new FileInfo(ours).Length);
        using IImageLayer layer = LuksTestImages.Open(theirs);
        using IImageLayer own = LuksTestImages.Open(ours);
        Assert.Equal((size + 511) / 512 * 512, layer.VirtualSize);
        Assert.Equal(layer.VirtualSize, own.VirtualSize);
    }

    [SkippableTheory]
    [InlineData("off")]
    [InlineData("falloc")]
    [InlineData("full")]
    public void PreallocatesAsAsked(string preallocation)
    {
        QemuTools.Require();
        string image = _directory["a.luks"];
        new LuksFormat().Create(LuksTestImages.Request(image, 1 << 20, $"preallocation={preallocation}"));
        using IImageLayer layer = LuksTestImages.Open(image);
        Assert.Equal(preallocation != "off", ((IImageStatus)layer).AllocatedBytes > 1 << 20);
    }

    [SkippableTheory]
    [InlineData(1 << 20, "off")]
    [InlineData(1 << 20, "falloc")]
    [InlineData(100 << 10, "off")]
    public void ResizesAsQemu(int size, string preallocation)
    {
        QemuTools.Require();
        (_, byte[] content) = MakeRaw(5);
        string image = _directory["a.luks"];
        using (IFillTarget target = new LuksFormat().CreateFill(LuksTestImages.Request(image, Size)))
        {
            LuksTestImages.Fill(target, content);
            target.Finish();
        }

        string theirs = _directory["theirs.luks"];
        File.Copy(image, theirs);
        LuksTestImages.Img("resize", "--shrink", $"--preallocation={preallocation}", "--image-opts", LuksTestImages.Opts(theirs), size.ToString());
        using (IImageLayer layer = LuksTestImages.Open(image, write: true))
        {
            ((IResizable)layer).Resize(size, preallocation);
            Assert.Equal(size, layer.VirtualSize);
        }

        Assert.Equal(new FileInfo(theirs).Length, new FileInfo(image).Length);
        Assert.Equal(LuksTestImages.ReadAll(theirs), LuksTestImages.ReadAll(image));
    }

    [Fact]
    public void SeveralOpeningsFillOneTarget()
    {
        string image = _directory["a.luks"];
        byte[] content = GuestContent.Make(Size, 6);
        CreateRequest request = LuksTestImages.Request(image, Size);
        using (IFillTarget target = new LuksFormat().CreateFill(request))
        {
            using (IFillTarget other = new LuksFormat().OpenFill(request))
            {
                LuksTestImages.Fill(other, content);
                other.Flush();
            }

            target.Finish();
        }

        Qcow2TestImages.AssertSame(content, LuksTestImages.ReadAll(image));
    }

    [SkippableTheory]
    [InlineData("cipher-alg=foo")]
    [InlineData("cipher-alg=des")]
    [InlineData("cipher-alg=3des")]
    [InlineData("cipher-alg=cast5-128")]
    [InlineData("cipher-mode=foo")]
    [InlineData("ivgen-alg=foo")]
    [InlineData("ivgen-alg=essiv,ivgen-hash-alg=foo")]
    [InlineData("ivgen-alg=essiv,ivgen-hash-alg=sha1")]
    [InlineData("ivgen-alg=essiv,cipher-alg=cast5-128")]
    [InlineData("ivgen-alg=essiv,cipher-alg=serpent-128,ivgen-hash-alg=sha512")]
    [InlineData("hash-alg=foo")]
    public void RefusesOptionsInQemusWords(string options)
    {
        QemuTools.Require();
        string image = _directory["a.luks"];
        ToolResult theirs = LuksTestImages.TryImg("create", "-q", "-f", "luks", "-o", "key-secret=s,iter-time=10," + options, image, "1M");
        ImageException ours = Assert.Throws<ImageException>(() => new LuksFormat().Create(LuksTestImages.Request(image, 1 << 20, options)));
        Assert.Equal(theirs.Error, $"qemu-img: {image}: {ours.Message}\n");
        Assert.False(File.Exists(image));
    }

    [SkippableFact]
    public void MissingAndWrongPasswordsAreRefusedInQemusWords()
    {
        QemuTools.Require();
        string image = _directory["a.luks"];
        new LuksFormat().Create(LuksTestImages.Request(image, 1 << 20));
        AssertSameRefusal(QemuTools.TryImg("convert", "-f", "luks", "-O", "raw", image, _directory["x"]), () => LuksTestImages.Open(image, null));
        AssertSameRefusal(LuksTestImages.TryImg("map", "--image-opts", LuksTestImages.Opts(image, "n")), () => LuksTestImages.Open(image, "new"));
        ImageException missing = Assert.Throws<ImageException>(() => new LuksFormat().Create(new CreateRequest
        {
            FileName = _directory["b.luks"],
            Locator = LuksTestImages.Files,
            VirtualSize = 1,
        }));
        Assert.Equal("Parameter 'key-secret' is required for cipher", missing.Message);
        using IImageLayer described = LuksTestImages.Open(image, null, describeOnly: true);
        Assert.Throws<ImageException>(() => described.Read(described.Map(0, 512), new byte[512]));
    }

    [SkippableTheory]
    [InlineData(1000)]
    [InlineData(1 << 20)]
    public void MeasuresAsQemu(int size)
    {
        QemuTools.Require();
        string theirs = LuksTestImages.Img("measure", "-O", "luks", "-o", "key-secret=s,iter-time=10", "--size", size.ToString());
        MeasureResult ours = new LuksFormat().Measure(new MeasureRequest { VirtualSize = size, Secret = LuksTestImages.Secret(("key-secret", "abc")) })!.Value;
        Assert.Equal(theirs, $"required size: {ours.Required}\nfully allocated size: {ours.FullyAllocated}\n");
    }

    internal static void AssertSameRefusal(ToolResult theirs, Action ours)
    {
        ImageException refusal = Assert.Throws<ImageException>(ours);
        Assert.EndsWith($": {refusal.Message}\n", theirs.Error, StringComparison.Ordinal);
    }

    internal static string Text(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "{" + string.Join(", ", value.EnumerateObject().Select(p => $"{p.Name}={Text(p.Value)}")) + "}",
        JsonValueKind.Array => "[" + string.Join(", ", value.EnumerateArray().Select(Text)) + "]",
        _ => value.ToString().ToLowerInvariant(),
    };

    internal static string Text(object value) => value switch
    {
        FormatSpecificInfo info => "{" + string.Join(", ", info.Fields.Select(p => $"{p.Key}={Text(p.Value)}")) + "}",
        System.Collections.IEnumerable list and not string => "[" + string.Join(", ", list.Cast<object>().Select(Text)) + "]",
        _ => value.ToString()!.ToLowerInvariant(),
    };

    private static void AssertSameInfo(string image)
    {
        JsonElement theirs = JsonDocument.Parse(QemuTools.Img("info", "--output=json", image)).RootElement;
        using IImageLayer layer = LuksTestImages.Open(image, null, describeOnly: true);
        Assert.Equal(theirs.GetProperty("virtual-size").GetInt64(), layer.VirtualSize);
        FormatSpecificInfo info = layer.DescribeSpecific()!;
        Assert.Equal("luks", info.Type);
        Assert.Equal(Text(theirs.GetProperty("format-specific").GetProperty("data")), Text(info));
    }

    private static void CompareAtRandom(string image, byte[] expected, int seed)
    {
        using LayeredDisk disk = new(LuksTestImages.Open(image));
        Random random = new(seed);
        for (int i = 0; i < 100; i++)
        {
            int start = random.Next(expected.Length);
            byte[] part = new byte[Math.Min(expected.Length - start, random.Next(1, 100_000))];
            disk.Read(start, part);
            Assert.True(part.AsSpan().SequenceEqual(expected.AsSpan(start, part.Length)), $"bytes from {start} on differ (seed {seed})");
        }
    }

    private static int Cryptsetup(string password, params string[] arguments) => Cryptsetup(password, out _, arguments);

    private static int Cryptsetup(string password, out string output, params string[] arguments)
    {
        ProcessStartInfo start = new("/usr/sbin/cryptsetup", arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        process.StandardInput.Write(password);
        process.StandardInput.Close();
        _ = process.StandardError.ReadToEndAsync();
        output = process.StandardOutput.ReadToEnd();
        Assert.True(process.WaitForExit(30_000));
        return process.ExitCode;
    }

    private (string Path, byte[] Content) MakeRaw(int seed)
    {
        byte[] content = GuestContent.Make(Size, seed, 40_000);
        string raw = _directory["a.raw"];
        File.WriteAllBytes(raw, content);
        return (raw, content);
    }
}
