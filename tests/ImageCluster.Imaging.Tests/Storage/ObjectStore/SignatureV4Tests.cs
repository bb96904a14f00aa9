using ImageCluster.Imaging.Storage.ObjectStore;

namespace ImageCluster.Imaging.Tests.Storage.ObjectStore;

/// <summary>Amazon's own examples: the S3 API reference ("Examples: Signature Calculations") and the Signature Version 4 test suite.</summary>
public sealed class SignatureV4Tests
{
    private static readonly S3Credentials Example = new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    private static readonly DateTimeOffset Day = new(2013, 5, 24, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void GettingARangeOfAnObject() => Check("f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41", "GET", "/test.txt", [], SignatureV4.EmptyDigest, ("range", "bytes=0-9"));

    [Fact]
    public void PuttingAnObject() => Check(
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        "PUT",
        "/" + SignatureV4.Encode("test$file.text", keepSlash: true),
        [],
        "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
        ("date", "Fri, 24 May 2013 00:00:00 GMT"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"));

    [Fact]
    public void ASubresource() => Check("fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543", "GET", "/", [("lifecycle", "")], SignatureV4.EmptyDigest);

    [Fact]
    public void Arguments() => Check("34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7", "GET", "/", [("prefix", "J"), ("max-keys", "2")], SignatureV4.EmptyDigest);

    [Theory]
    [InlineData("", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31")]
    [InlineData("Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500")]
    public void TheTestSuite(string query, string signature)
    {
        string authorization = SignatureV4.Authorization(
            "GET",
            "/",
            query.Split('&', StringSplitOptions.RemoveEmptyEntries).Select(item => (item.Split('=')[0], item.Split('=')[1])),
            [("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")],
            SignatureV4.EmptyDigest,
            new S3Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            "us-east-1",
            "service",
            new DateTimeOffset(2015, 8, 30, 12, 36, 0, TimeSpan.Zero));
        Assert.Equal($"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature={signature}", authorization);
    }

    [Fact]
    public void EverythingButUnreservedCharactersIsEncoded()
    {
        Assert.Equal("a/b%20c%2B%25~-._%C3%A4%23%3F", SignatureV4.Encode("a/b c+%~-._ä#?", keepSlash: true));
        Assert.Equal("a%2Fb", SignatureV4.Encode("a/b", keepSlash: false));
    }

    private static void Check(string signature, string method, string path, (string, string)[] query, string digest, params (string, string)[] headers)
    {
        string authorization = SignatureV4.Authorization(
            method,
            path,
            query,
            [("host", "examplebucket.s3.amazonaws.com"), ("x-amz-content-sha256", digest), ("x-amz-date", "20130524T000000Z"), .. headers],
            digest,
            Example,
            "us-east-1",
            "s3",
            Day);
        Assert.EndsWith($"Signature={signature}", authorization, StringComparison.Ordinal);
    }
}
