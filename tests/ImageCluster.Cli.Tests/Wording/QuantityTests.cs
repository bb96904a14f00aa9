using ImageCluster.Cli.Wording;

namespace ImageCluster.Cli.Tests.Wording;

public sealed class QuantityTests
{
    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(-5, "0 B")]
    [InlineData(999, "999 B")]
    [InlineData(1000, "0.98 KiB")]
    [InlineData(1024, "1.00 KiB")]
    [InlineData(10 << 10, "10.0 KiB")]
    [InlineData(512 << 20, "512 MiB")]
    [InlineData(1023 << 20, "1.00 GiB")]
    [InlineData(long.MaxValue, "8.00 EiB")]
    public void BytesHaveThreeDigits(long bytes, string expected) => Assert.Equal(expected, Quantity.Bytes(bytes));

    [Theory]
    [InlineData(0.04, "0.0 s")]
    [InlineData(9.9, "9.9 s")]
    [InlineData(42, "42 s")]
    [InlineData(200, "3 min 20 s")]
    [InlineData(18120, "5 h 02 min")]
    [InlineData(200000, "2 d 07 h")]
    public void DurationsAreShort(double seconds, string expected) => Assert.Equal(expected, Quantity.Duration(TimeSpan.FromSeconds(seconds)));

    [Theory]
    [InlineData(null, "-")]
    [InlineData(0.0, "0:00")]
    [InlineData(42.0, "0:42")]
    [InlineData(3723.0, "1:02:03")]
    [InlineData(900000.0, "10 days")]
    public void ClocksCountDown(double? seconds, string expected) =>
        Assert.Equal(expected, Quantity.Clock(seconds is { } known ? TimeSpan.FromSeconds(known) : null));

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(1e300)]
    public void RatesThatAreNoneDoNotFail(double rate) => Assert.EndsWith("B/s", Quantity.Rate(rate), StringComparison.Ordinal);

    [Theory]
    [InlineData("short", 10, "short")]
    [InlineData("a/very/long/path/to/the/disk.vmdk", 20, "a/very/lo…/disk.vmdk")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 10, "aaa…aaaaaa")]
    public void PathsKeepTheirFileName(string path, int width, string expected)
    {
        string shortened = Quantity.Shortened(path, width);
        Assert.Equal(expected, shortened);
        Assert.True(shortened.Length <= width);
    }
}
