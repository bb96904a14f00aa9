using ImageCluster.Imaging.Operations.Comparing;
using ImageCluster.Jobs.Contracts;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;

namespace ImageCluster.Jobs.Tests.Contracts;

public class FindingsCodecTests
{
    private static readonly ProbeFindings Probe = new()
    {
        Geometry = new JobGeometry(5L << 40, 512L << 20, ShardsIndependent: true) { TakesRoom = true },
        DataBytes = 123,
        Fingerprint = "1 2\tvms:top.qcow2",
        Subject = "12.5\t1\tbefore",
        Chains =
        [
            new ProbedChain(new ImageName("vms", "link.qcow2"),
            [
                new ProbedImage(new ImageName("vms", "top.qcow2"), "qcow2", 5L << 40),
                new ProbedImage(new ImageName("golden", "base.raw"), "raw", 0),
            ]),
            new ProbedChain(new ImageName("b", "x"), [new ProbedImage(new ImageName("b", "x"), "vmdk", 1)]),
        ],
    };

    [Fact]
    public void What_a_probe_found_comes_back()
    {
        ProbeFindings read = FindingsCodec.DecodeProbe(FindingsCodec.Encode(Probe));
        Assert.Equal(Probe.Geometry, read.Geometry);
        Assert.Equal(Probe.DataBytes, read.DataBytes);
        Assert.Equal(Probe.Fingerprint, read.Fingerprint);
        Assert.Equal(Probe.Subject, read.Subject);
        Assert.Equal(Probe.Chains.Select(chain => chain.Image), read.Chains.Select(chain => chain.Image));
        Assert.Equal(Probe.Chains.SelectMany(chain => chain.Layers), read.Chains.SelectMany(chain => chain.Layers));
        Assert.Equal([new ImageName("vms", "top.qcow2"), new ImageName("golden", "base.raw")], read.ChainsByImage[new ImageName("vms", "link.qcow2")]);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(0)]
    [InlineData(1L << 30)]
    public void A_layout_comes_back(long roomStart)
    {
        var layout = new FillLayout { Shards = 7, RoomStart = roomStart, RoomAlignment = 65536, RoomEnd = 1L << 40 };
        Assert.Equal(layout, FindingsCodec.DecodeLayout(FindingsCodec.Encode(layout)));
    }

    [Fact]
    public void A_difference_comes_back()
    {
        var findings = new CompareFindings(CompareVerdict.TailDiffers, SizesDiffer: true);
        Assert.Equal(findings, FindingsCodec.DecodeCompare(FindingsCodec.Encode(findings)));
    }

    [Fact]
    public void What_is_damaged_or_something_else_is_refused()
    {
        string text = FindingsCodec.Encode(Probe);
        Assert.Throws<ContractException>(() => FindingsCodec.DecodeProbe(""));
        Assert.Throws<ContractException>(() => FindingsCodec.DecodeProbe(text[..^3]));
        Assert.Throws<ContractException>(() => FindingsCodec.DecodeProbe(text.Replace("probe.v1", "probe.v2", StringComparison.Ordinal)));
        Assert.Throws<ContractException>(() => FindingsCodec.DecodeLayout(text));
        Assert.Throws<ContractException>(() => FindingsCodec.DecodeCompare("compare.v1:CGM="));
    }

    [Fact]
    public void The_text_of_this_version_is_read_by_every_later_one()
    {
        var layout = new FillLayout { Shards = 3, RoomStart = 0x50000, RoomAlignment = 65536 };
        Assert.Equal("layout.v1:CAMQgIAUGICABCD//////////38=", FindingsCodec.Encode(layout));
        Assert.Equal("compare.v1:CAEQAQ==", FindingsCodec.Encode(new CompareFindings(CompareVerdict.ContentDiffers, true)));
    }
}
