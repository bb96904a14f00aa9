using CsCheck;
using ImageCluster.Testing;
using ImageCluster.Jobs.Manifests;

namespace ImageCluster.Jobs.Tests.Manifests;

public class ByteRateTests
{
    [Theory]
    [InlineData("1", 1)]
    [InlineData("1000B/s", 1000)]
    [InlineData("1k", 1024)]
    [InlineData("1kB", 1000)]
    [InlineData("1KiB/s", 1024)]
    [InlineData("200M", 200L << 20)]
    [InlineData("200 MB / s", 0)]
    [InlineData("200 MB/s", 200_000_000)]
    [InlineData("1.5GiB/s", 3L << 29)]
    [InlineData("0.5T", 1L << 39)]
    [InlineData(".5k", 512)]
    [InlineData("9223372036854775807", long.MaxValue)]
    [InlineData("9223372036854775808", 0)]
    [InlineData("99999999999999999999T", 0)]
    [InlineData("9000000000000000000T", 0)]
    [InlineData("8388607.9999999T", 9223372036854665856)]
    [InlineData("0", 0)]
    [InlineData("0.1", 0)]
    [InlineData("-1", 0)]
    [InlineData("1,000", 0)]
    [InlineData("1e3", 0)]
    [InlineData("1MiBs", 0)]
    [InlineData("1m", 0)]
    [InlineData("M", 0)]
    [InlineData("", 0)]
    [InlineData("1.2.3M", 0)]
    public void Units(string text, long expected)
    {
        Assert.Equal(expected > 0, ByteRate.TryParse(text, out ByteRate rate));
        Assert.Equal(expected, rate.BytesPerSecond);
    }

    [Fact]
    public void What_it_prints_it_reads() =>
        Gen.Long[1, long.MaxValue].Holds(bytes => ByteRate.TryParse(new ByteRate(bytes).ToString(), out ByteRate rate) && rate.BytesPerSecond == bytes);
}
