using ImageCluster.Imaging.Storage.ObjectStore;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Storage.ObjectStore;

public sealed class S3SettingsTests : IDisposable
{
    private readonly TempDirectory _directory = new();
    private readonly Dictionary<string, string> _environment = [];

    [Fact]
    public void TheEnvironmentComesFirst()
    {
        Profiles("[default]\naws_access_key_id = file\naws_secret_access_key = x\n", "[default]\nregion = eu-west-1\n");
        _environment["AWS_ACCESS_KEY_ID"] = "env";
        _environment["AWS_SECRET_ACCESS_KEY"] = "y";
        _environment["AWS_SESSION_TOKEN"] = "z";
        _environment["AWS_REGION"] = "eu-central-1";
        S3Settings settings = Read();
        Assert.Equal(("env", "y", "z"), (settings.Credentials!.AccessKey, settings.Credentials.SecretKey, settings.Credentials.SessionToken));
        Assert.Equal("eu-central-1", settings.Region);
        Assert.Equal("https://b.s3.eu-central-1.amazonaws.com", settings.AddressOf("b"));
        Assert.Equal("https://s3.eu-central-1.amazonaws.com/b.c", settings.AddressOf("b.c"));
    }

    [Fact]
    public void AProfileIsRead()
    {
        Profiles(
            "# mine\n[default]\naws_access_key_id=d\naws_secret_access_key=d\n\n[work]\naws_access_key_id = w\naws_secret_access_key = s=1\n",
            "[default]\nregion = eu-west-1\n[profile work]\nregion = eu-north-1\nendpoint_url = http://store:9000/root/\ns3 =\n  addressing_style = virtual\n  max_concurrent_requests = 20\noutput = json\n");
        _environment["AWS_PROFILE"] = "work";
        S3Settings settings = Read();
        Assert.Equal(("w", "s=1"), (settings.Credentials!.AccessKey, settings.Credentials.SecretKey));
        Assert.Equal("eu-north-1", settings.Region);
        Assert.False(settings.PathStyle);
        Assert.Equal("http://b.store:9000/root", settings.AddressOf("b"));
    }

    [Fact]
    public void AnEndpointOfItsOwnIsAskedByPath()
    {
        _environment["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9000";
        Assert.Equal("http://127.0.0.1:9000/b", Read().AddressOf("b"));
        Assert.Null(Read().Credentials);
    }

    [Theory]
    [InlineData("AWS_PROFILE", "nobody")]
    [InlineData("AWS_ACCESS_KEY_ID", "key-without-secret")]
    [InlineData("AWS_ENDPOINT_URL", "store:9000")]
    [InlineData("AWS_ENDPOINT_URL", "http://u:p@store")]
    [InlineData("IMAGECLUSTER_S3_ADDRESSING", "other")]
    [InlineData("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials")]
    public void WhatMakesNoSenseIsRefused(string variable, string value)
    {
        _environment[variable] = value;
        ImageException e = Assert.Throws<ImageException>(Read);
        Assert.DoesNotContain("u:p", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void SecretsAreNotShown() => Assert.DoesNotContain("secret", new S3Credentials("a", "secret", "secret").ToString(), StringComparison.Ordinal);

    [Theory]
    [InlineData("s3://bucket/key", "bucket", "key")]
    [InlineData("s3://my-bucket.x/a/b c?d#e%20", "my-bucket.x", "a/b c?d#e%20")]
    public void NamesAreTakenApart(string name, string bucket, string key) => Assert.Equal(new S3Location(bucket, key), S3Location.Parse(name));

    [Theory]
    [InlineData("s3://")]
    [InlineData("s3:bucket/key")]
    [InlineData("s3://bucket")]
    [InlineData("s3://bucket/")]
    [InlineData("s3:///key")]
    [InlineData("s3://a@b/key")]
    [InlineData("s3://host:9000/key")]
    [InlineData("s3://-bucket/key")]
    [InlineData("s3://b/key")]
    [InlineData("s3://buc..ket/key")]
    [InlineData("s3://bucket/a\nb")]
    public void WhatNamesNoObjectIsRefused(string name) => Assert.Equal(ImageErrorKind.InvalidArgument, Assert.Throws<ImageException>(() => S3Location.Parse(name)).Kind);

    public void Dispose() => _directory.Dispose();

    private void Profiles(string credentials, string config)
    {
        Directory.CreateDirectory(_directory[".aws"]);
        File.WriteAllText(Path.Join(_directory[".aws"], "credentials"), credentials);
        File.WriteAllText(Path.Join(_directory[".aws"], "config"), config);
        _environment["HOME"] = _directory.Path;
    }

    private S3Settings Read() => S3Settings.FromEnvironment(name => _environment.GetValueOrDefault(name));
}
