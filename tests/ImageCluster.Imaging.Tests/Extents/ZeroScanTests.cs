using ImageCluster.Imaging.Extents;

namespace ImageCluster.Imaging.Tests.Extents;

public sealed class ZeroScanTests
{
    [Fact]
    public void OneByteAnywhereIsSeenAtEveryLength()
    {
        byte[] buffer = new byte[700];
        for (int length = 0; length <= 600; length++)
        {
            for (int start = 0; start < 3; start++)
            {
                Assert.True(ZeroScan.IsZero(buffer.AsSpan(start, length)), $"length {length}");
                for (int at = 0; at < length; at++)
                {
                    buffer[start + at] = 1;
                    Assert.False(ZeroScan.IsZero(buffer.AsSpan(start, length)), $"length {length}, byte {at}");
                    buffer[start + at] = 0;
                }
            }
        }
    }

    [Fact]
    public void BytesOutsideTheSpanDoNotCount()
    {
        byte[] buffer = Enumerable.Repeat((byte)1, 1000).ToArray();
        buffer.AsSpan(100, 800).Clear();
        Assert.True(ZeroScan.IsZero(buffer.AsSpan(100, 800)));
        Assert.False(ZeroScan.IsZero(buffer.AsSpan(99, 800)));
        Assert.False(ZeroScan.IsZero(buffer.AsSpan(100, 801)));
    }
}
