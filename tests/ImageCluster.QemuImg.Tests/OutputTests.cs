using ImageCluster.QemuImg.Images;
using ImageCluster.QemuImg.Output;

namespace ImageCluster.QemuImg.Tests;

public sealed class OutputTests
{
    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(999, "999 B")]
    [InlineData(1000, "0.977 KiB")]
    [InlineData(1024, "1 KiB")]
    [InlineData(1152, "1.12 KiB")]
    [InlineData(1536, "1.5 KiB")]
    [InlineData(1023488, "1e+03 KiB")]
    [InlineData(1024000, "0.977 MiB")]
    [InlineData(10485760, "10 MiB")]
    [InlineData(long.MaxValue, "8 EiB")]
    public void SizesRoundAsPrintfDoes(long bytes, string expected) => Assert.Equal(expected, SizeText.Of(bytes));

    [Theory]
    [InlineData(0, "0.00")]
    [InlineData(0.125, "0.12")]
    [InlineData(0.375, "0.38")]
    [InlineData(2.675, "2.67")]
    [InlineData(100, "100.00")]
    [InlineData(11.111111, "11.11")]
    public void FixedNumbersRoundAsPrintfDoes(double value, string expected) => Assert.Equal(expected, CNumber.Fixed(value, 2));

    [Fact]
    public void KeysComeInTheOrderOfQemusDictionary()
    {
        QDict dict = [];
        foreach (string key in (string[])["filename", "format", "virtual-size", "actual-size", "cluster-size", "dirty-flag", "format-specific", "backing-filename", "full-backing-filename"])
        {
            dict.Add(key, "");
        }

        Assert.Equal(
            ["virtual-size", "filename", "cluster-size", "format", "actual-size", "format-specific", "full-backing-filename", "backing-filename", "dirty-flag"],
            dict.Select(static e => e.Key));
    }

    [Fact]
    public void JsonIsQemus()
    {
        StringWriter text = new();
        QemuJson.Write(text, new QDict { { "name", "a\"\\\n\u00e9\x7f" }, { "flags", new List<object>() }, { "n", 3L }, { "b", true } });
        Assert.Equal("{\n    \"name\": \"a\\\"\\\\\\n\\u00E9\\u007F\",\n    \"b\": true,\n    \"n\": 3,\n    \"flags\": [\n    ]\n}".Length, text.ToString().Length);
        Assert.Contains("\"a\\\"\\\\\\n\\u00E9\\u007F\"", text.ToString(), StringComparison.Ordinal);
        Assert.Contains("\"flags\": [\n    ]", text.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{'a': [1, -2, 3.5, true, null], \"b\": {}}")]
    [InlineData(" {\"a\":\"\\u0041\\n\"} ")]
    public void JsonIsRead(string text) => Assert.IsType<Dictionary<string, object?>>(JsonReader.Parse(text));

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("{\"a\":1,}")]
    [InlineData("[1 2]")]
    [InlineData("\"\\x\"")]
    [InlineData("{\"a\":1} x")]
    [InlineData("{\"a\":1,\"a\":2}")]
    public void BadJsonIsRefused(string text) => Assert.Throws<FormatException>(() => JsonReader.Parse(text));

    [Fact]
    public void DeepJsonIsRefused() => Assert.Throws<FormatException>(() => JsonReader.Parse(new string('[', 100_000)));
}
