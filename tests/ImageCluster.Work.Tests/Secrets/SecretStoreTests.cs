using System.Text;
using ImageCluster.Imaging;
using ImageCluster.Testing.Storage;
using ImageCluster.Work.Secrets;

namespace ImageCluster.Work.Tests.Secrets;

public sealed class SecretStoreTests : IDisposable
{
    private readonly TempDirectory _directory = new();
    private readonly Dictionary<string, string> _environment = [];

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void AFileIsThePasswordByteForByte()
    {
        byte[] password = [0, 255, (byte)'\n'];
        File.WriteAllBytes(_directory["a-b.1"], password);
        _environment["IMAGECLUSTER_SECRET_A_B_1"] = "other";
        Assert.Equal(password, Store().Get("a-b.1"));
        Assert.Equal(password, Store().For("a-b.1")("whatever"));
    }

    [Fact]
    public void TheEnvironmentServesWhereThereIsNoFile()
    {
        _environment["IMAGECLUSTER_SECRET_A_B_1"] = "pässword";
        Assert.Equal("pässword", Encoding.UTF8.GetString(Store().Get("a-b.1")));
        Assert.Equal("pässword", Encoding.UTF8.GetString(new SecretStore(null, _environment.GetValueOrDefault).Get("a-b.1")));
    }

    [Fact]
    public void ALinkAsKubernetesMakesThemIsFollowed()
    {
        Directory.CreateDirectory(_directory["..data"]);
        File.WriteAllText(_directory["..data/s"], "x");
        File.CreateSymbolicLink(_directory["s"], Path.Combine("..data", "s"));
        Assert.Equal("x"u8.ToArray(), Store().Get("s"));
    }

    [Theory]
    [InlineData("../s")]
    [InlineData("/etc/passwd")]
    [InlineData("..")]
    [InlineData("")]
    [InlineData("a b")]
    public void WhatIsNoNameOpensNothing(string name)
    {
        File.WriteAllText(_directory["s"], "x");
        Assert.Equal(ImageErrorKind.InvalidArgument, Assert.Throws<ImageException>(() => Store().Get(name)).Kind);
    }

    [Fact]
    public void WhatIsMissingIsSaidWithThePlaceForIt()
    {
        ImageException e = Assert.Throws<ImageException>(() => Store().Get("gone"));
        Assert.Equal((ImageErrorKind.NotFound, "There is no secret 'gone' here"), (e.Kind, e.Message));
        Assert.Contains(_directory["gone"], e.Hint, StringComparison.Ordinal);
        Assert.Contains("IMAGECLUSTER_SECRET_GONE", e.Hint, StringComparison.Ordinal);
        Assert.Null(Store().For("")("key-secret"));
    }

    [Fact]
    public void OptionsNameFurtherSecrets()
    {
        File.WriteAllText(_directory["old"], "1");
        File.WriteAllText(_directory["new"], "2");
        Func<string, byte[]?> secret = Store().For("old", new Dictionary<string, string> { ["encrypt.new-secret"] = "new", ["encrypt.old-secret"] = "" });
        Assert.Equal("2"u8.ToArray(), secret("encrypt.new-secret"));
        Assert.Equal("1"u8.ToArray(), secret("encrypt.key-secret"));
    }

    [Fact]
    public void AnEndlessFileIsNoPassword()
    {
        File.WriteAllBytes(_directory["s"], new byte[SecretStore.MaxLength + 1]);
        Assert.Equal(ImageErrorKind.Limit, Assert.Throws<ImageException>(() => Store().Get("s")).Kind);
        File.WriteAllBytes(_directory["s"], new byte[SecretStore.MaxLength]);
        Assert.Equal(SecretStore.MaxLength, Store().Get("s").Length);
    }

    private SecretStore Store() => new(_directory.Path, _environment.GetValueOrDefault);
}
