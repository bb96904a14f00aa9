using Akka.Cluster.Sharding;
using ImageCluster.Cluster.Messages;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Images;

namespace ImageCluster.Cluster.Hosting;

/// <summary>Finds the record that a message is for: an image's is the digest of its name (<see cref="ImageName.Key"/>).</summary>
public sealed class RecordExtractor(int partitions) : HashCodeMessageExtractor(partitions)
{
    public override string? EntityId(object message) => message switch
    {
        ImageCommand command => command.Image.Key,
        DescribeImage query => query.Image.Key,
        _ => null,
    };
}
