using System.Text;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Formats.Luks;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Imaging.Tests.Formats.Luks;

/// <summary>Encrypted images of the tests, made by QEMU and by us, with the password "abc" unless a test says otherwise.</summary>
internal static class LuksTestImages
{
    public const string Password = "abc";

    public static readonly LocalFileLocator Files = new();

    public static readonly string[] Secrets = ["--object", "secret,id=s,data=abc", "--object", "secret,id=n,data=new"];

    /// <summary>
    /// Runs qemu-img with the secrets s ("abc") and n ("new"), again where it could not measure: it needs processor time of its own, which a busy
    /// machine does not always give.
    /// </summary>
    public static ToolResult TryImg(string command, params string[] arguments)
    {
        ToolResult result;
        int tries = 0;
        do
        {
            result = QemuTools.TryImg([command, .. Secrets, .. arguments]);
        }
        while (result.Error.Contains("Unable to get accurate CPU usage", StringComparison.Ordinal) && ++tries < 20);
        return result;
    }

    public static string Img(string command, params string[] arguments)
    {
        ToolResult result = TryImg(command, arguments);
        Assert.True(result.ExitCode == 0, $"qemu-img {command} {string.Join(' ', arguments)}: {result.Error}{result.Output}");
        return result.Output;
    }

    /// <summary>Lets QEMU compare a raw file with an encrypted image, which it opens by <paramref name="options"/>.</summary>
    public static void AssertEqualForQemu(string raw, string options) =>
        Assert.Equal("Images are identical.\n", Img("compare", "--image-opts", $"driver=raw,file.filename={raw}", options));

    /// <summary>The options by which QEMU opens a LUKS image.</summary>
    public static string Opts(string path, string secret = "s") => $"driver=luks,key-secret={secret},file.filename={path}";

    /// <summary>Gives <paramref name="passwords"/> by option name.</summary>
    public static Func<string, byte[]?> Secret(params (string Option, string Password)[] passwords) => option =>
        passwords.FirstOrDefault(p => p.Option == option).Password is { } password ? Encoding.UTF8.GetBytes(password) : null;

    public static IImageLayer Open(string path, string? password = Password, bool write = false, bool describeOnly = false)
    {
        OpenMode mode = write ? OpenMode.ReadWrite : OpenMode.ReadOnly;
        return new LuksFormat().Open(new OpenContext
        {
            File = Files.Open(path, mode),
            FileName = path,
            Locator = Files,
            Mode = mode,
            DescribeOnly = describeOnly,
            Secret = password is null ? static _ => null : Secret(("key-secret", password)),
        });
    }

    public static CreateRequest Request(string path, long size, string options = "") => new()
    {
        FileName = path,
        Locator = Files,
        VirtualSize = size,
        Options = options.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(o => o.Split('=', 2)).Append(["iter-time", "1"])
            .DistinctBy(o => o[0]).ToDictionary(o => o[0], o => o[1]),
        Mode = OpenMode.ReadWrite with { Lock = ImageLock.None },
        Secret = Secret(("key-secret", Password)),
    };

    public static byte[] ReadAll(string path, string? password = Password)
    {
        using LayeredDisk disk = new(Open(path, password));
        byte[] bytes = new byte[disk.VirtualSize];
        disk.Read(0, bytes);
        return bytes;
    }

    /// <summary>Fills a shard after the other from the disk's bytes.</summary>
    public static void Fill(IFillTarget target, byte[] content)
    {
        for (long shard = 0; shard * target.ShardLength < target.VirtualSize; shard++)
        {
            if (Qcow2.FillHelper.FillShard(target, shard, content, target.Room, stateZeroes: !target.UnwrittenIsZero) is { } manifest)
            {
                target.Publish(manifest);
            }
        }
    }
}
