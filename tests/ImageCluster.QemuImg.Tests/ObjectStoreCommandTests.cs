using ImageCluster.Testing.Http;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.QemuImg.Tests;

/// <summary>The commands on images in an object store, found by the environment as the AWS tools find it.</summary>
public sealed class ObjectStoreCommandTests : IDisposable
{
    private static readonly string[] Variables =
        ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "IMAGECLUSTER_STAGING_DIR"];

    private readonly S3TestServer _store = new();
    private readonly TempDirectory _directory = new();
    private readonly Dictionary<string, string?> _before = Variables.ToDictionary(name => name, Environment.GetEnvironmentVariable);

    public ObjectStoreCommandTests()
    {
        foreach (string name in Variables)
        {
            Environment.SetEnvironmentVariable(name, null);
        }

        Directory.CreateDirectory(_directory["staging"]);
        File.WriteAllText(_directory["config"], $"[default]\nregion = {S3TestServer.Region}\n");
        File.WriteAllText(_directory["credentials"], $"[default]\naws_access_key_id = {S3TestServer.AccessKey}\naws_secret_access_key = {S3TestServer.SecretKey}\n");
        Environment.SetEnvironmentVariable("AWS_CONFIG_FILE", _directory["config"]);
        Environment.SetEnvironmentVariable("AWS_SHARED_CREDENTIALS_FILE", _directory["credentials"]);
        Environment.SetEnvironmentVariable("AWS_ENDPOINT_URL_S3", _store.Address);
        Environment.SetEnvironmentVariable("IMAGECLUSTER_STAGING_DIR", _directory["staging"]);
    }

    public void Dispose()
    {
        foreach ((string name, string? value) in _before)
        {
            Environment.SetEnvironmentVariable(name, value);
        }

        _store.Dispose();
        _directory.Dispose();
    }

    [SkippableFact]
    public void EveryCommandTakesObjects()
    {
        QemuTools.Require();
        File.WriteAllBytes(_directory["a.raw"], GuestContent.Make(10 << 20, 1));
        string local = _directory["a.raw"];
        Expect("", "convert", "-O", "qcow2", local, "s3://bucket/vm/a.qcow2");
        Expect("", "convert", "-O", "raw", "s3://bucket/vm/a.qcow2", "s3://bucket/vm/a.raw");
        Assert.True(File.ReadAllBytes(local).AsSpan().SequenceEqual(_store["bucket/vm/a.raw"]));
        Expect("Images are identical.\n", "compare", "s3://bucket/vm/a.qcow2", local);
        Expect("No errors were found on the image.", "check", "s3://bucket/vm/a.qcow2");
        Expect("virtual size: 10 MiB", "info", "s3://bucket/vm/a.qcow2");
        Expect("s3://bucket/vm/a.qcow2\n", "map", "s3://bucket/vm/a.qcow2");
        Expect("required size", "measure", "-O", "qcow2", "s3://bucket/vm/a.qcow2");
        Expect("", "dd", "-O", "raw", "bs=1M", "count=2", "if=s3://bucket/vm/a.raw", "of=s3://bucket/vm/part.raw");
        Assert.True(File.ReadAllBytes(local).AsSpan(0, 2 << 20).SequenceEqual(_store["bucket/vm/part.raw"]));
        Expect("Formatting", "create", "-f", "qcow2", "-b", "a.qcow2", "-F", "qcow2", "s3://bucket/vm/top.qcow2");
        Expect("Images are identical.\n", "compare", "s3://bucket/vm/top.qcow2", local);
        File.WriteAllBytes(_directory["got.qcow2"], _store["bucket/vm/a.qcow2"]!);
        QemuTools.Img("check", _directory["got.qcow2"]);
        QemuTools.Img("compare", _directory["got.qcow2"], local);
        Assert.Empty(Directory.GetFileSystemEntries(_directory["staging"]));
    }

    [Theory]
    [InlineData("resize", "s3://bucket/a.qcow2", "1G")]
    [InlineData("snapshot", "-c", "one", "s3://bucket/a.qcow2")]
    [InlineData("commit", "s3://bucket/a.qcow2")]
    [InlineData("check", "-r", "all", "s3://bucket/a.qcow2")]
    public void WhatChangesAnImageInPlaceIsRefused(params string[] arguments)
    {
        Expect("", "create", "-q", "-f", "qcow2", "s3://bucket/a.qcow2", "1M");
        byte[] before = _store["bucket/a.qcow2"]!;
        (int code, _, string error) = Run(arguments);
        Assert.NotEqual(0, code);
        Assert.Contains("An object cannot be changed in place", error, StringComparison.Ordinal);
        Assert.Equal(before, _store["bucket/a.qcow2"]);
    }

    [Fact]
    public void AConversionThatFailsLeavesWhatWasThere()
    {
        _store["bucket/a.qcow2"] = [1, 2, 3];
        File.WriteAllBytes(_directory["a.raw"], new byte[1 << 20]);
        _store.Fault = query => query.Method == "PUT" ? HttpReply.Text(403, "<Error><Code>AccessDenied</Code><Message>No.</Message></Error>") : null;
        (int code, _, string error) = Run("convert", "-O", "qcow2", _directory["a.raw"], "s3://bucket/a.qcow2");
        Assert.Equal(1, code);
        Assert.StartsWith("qemu-img: error while converting: The object store refuses: AccessDenied (No)\n", error, StringComparison.Ordinal);
        Assert.Equal([1, 2, 3], _store["bucket/a.qcow2"]!);
        Assert.Empty(Directory.GetFileSystemEntries(_directory["staging"]));
        Assert.Equal(1, Run("convert", "-O", "raw", "s3://bucket/nix", _directory["x"]).Code);
    }

    private static void Expect(string contained, params string[] arguments)
    {
        (int code, string output, string error) = Run(arguments);
        Assert.True(code == 0, $"{string.Join(' ', arguments)}: {code}\n{error}{output}");
        Assert.Contains(contained, output, StringComparison.Ordinal);
    }

    private static (int Code, string Output, string Error) Run(params string[] arguments)
    {
        StringWriter output = new();
        StringWriter error = new();
        int code = QemuImgProgram.Run("qemu-img", arguments, output, error);
        return (code, output.ToString(), error.ToString());
    }
}
