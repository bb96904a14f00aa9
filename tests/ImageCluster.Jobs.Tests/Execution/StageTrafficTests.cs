using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Manifests;

namespace ImageCluster.Jobs.Tests.Execution;

public class StageTrafficTests
{
    private static readonly SharedRate Whole = new(1000);
    private static readonly SharedRate OfSource = new(1000, "vmware");
    private static readonly SharedRate OfTarget = new(1000, "kvm");
    private static readonly SharedRate OfAnother = new(1000, "hyperv");

    [Theory]
    [InlineData(StageKind.Copy, VerifyMode.Digest, 1, 1, 1)]
    [InlineData(StageKind.Copy, VerifyMode.Compare, 1, 1, 1)]
    [InlineData(StageKind.Verify, VerifyMode.Compare, 1, 1, 1)]
    [InlineData(StageKind.Verify, VerifyMode.Digest, 0, 0, 1)]
    public void What_a_byte_of_a_convert_counts_for(StageKind stage, VerifyMode verify, int whole, int source, int target)
    {
        StageTraffic traffic = StageTraffic.Of(Convert("kvm") with { Verify = verify }, stage);
        Assert.Equal((whole, source, target, 0), (traffic.Times(Whole), traffic.Times(OfSource), traffic.Times(OfTarget), traffic.Times(OfAnother)));
    }

    [Fact]
    public void In_one_root_it_is_read_and_written()
    {
        Assert.Equal(2, StageTraffic.Of(Convert("vmware"), StageKind.Copy).Times(OfSource));
        Assert.Equal(1, StageTraffic.Of(Convert("vmware"), StageKind.Copy).Times(Whole));
    }

    [Fact]
    public void A_target_that_stands_on_another_is_compared()
    {
        ConvertSpec spec = Convert("kvm") with { Verify = VerifyMode.Digest, Backing = new ImageName("kvm", "base") };
        Assert.Equal(1, StageTraffic.Of(spec, StageKind.Verify).Times(OfSource));
    }

    [Fact]
    public void Other_operations_have_rates_of_their_own_only()
    {
        StageTraffic traffic = StageTraffic.Of(new CommitSpec { Top = new ImageName("vmware", "a") }, StageKind.Merge);
        Assert.Equal((1, 0), (traffic.Times(Whole), traffic.Times(OfSource)));
    }

    private static ConvertSpec Convert(string targetRoot) =>
        new() { Source = new ImageName("vmware", "a"), Target = new ImageName(targetRoot, "b"), TargetFormat = "qcow2", Verify = VerifyMode.Digest };
}
