using ImageCluster.Cluster.Hosting;
using ImageCluster.Cluster.Messages;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Images;

namespace ImageCluster.Cluster.Tests.Hosting;

public class RecordExtractorTests
{
    private static readonly ImageName A = new("vmware", "prod/a b.vmdk");

    [Fact]
    public void Everything_about_one_image_goes_to_one_record_and_is_passed_on_as_it_is()
    {
        var extractor = RecordExtractor.ForImages(100);
        var command = new RenewUse(A, default, 1);
        Assert.Equal(A.Key, extractor.EntityId(command));
        Assert.Equal(A.Key, extractor.EntityId(new DescribeImage(A)));
        Assert.Same(command, extractor.EntityMessage(command));
        Assert.NotEqual(A.Key, extractor.EntityId(new DescribeImage(new ImageName("vmware", "prod/a c.vmdk"))));
        Assert.Null(extractor.EntityId("something else"));
    }

    [Fact]
    public void Where_a_record_lives_does_not_change_from_version_to_version() =>
        Assert.Equal("55", RecordExtractor.ForImages(100).ShardId(A.Key, null));
}
