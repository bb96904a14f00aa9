using Akka.Cluster.Sharding;
using ImageCluster.Cluster.Directories;
using ImageCluster.Cluster.Messages;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using ImageCluster.Jobs.Migrations;

namespace ImageCluster.Cluster.Hosting;

/// <summary>Finds the record that a message is for, in the region of one sort of records.</summary>
public sealed class RecordExtractor : HashCodeMessageExtractor
{
    private readonly Func<object, string?> _idOf;

    private RecordExtractor(int partitions, Func<object, string?> idOf)
        : base(partitions) => _idOf = idOf;

    /// <summary>An image's is the digest of its name (<see cref="ImageCluster.Jobs.ImageName.Key"/>).</summary>
    public static RecordExtractor ForImages(int partitions) => new(partitions, message => message switch
    {
        ImageCommand command => command.Image.Key,
        DescribeImage query => query.Image.Key,
        _ => null,
    });

    /// <summary>By the job's id.</summary>
    public static RecordExtractor ForJobs(int partitions) => new(partitions, message => message switch
    {
        JobCommand command => command.JobId,
        DescribeJob query => query.JobId,
        ListCopied query => query.JobId,
        ForgetJob forget => forget.JobId,
        GatheredImages gathered => gathered.JobId,
        _ => null,
    });

    /// <summary>By the migration's id.</summary>
    public static RecordExtractor ForMigrations(int partitions) => new(partitions, message => message switch
    {
        MigrationCommand command => command.MigrationId,
        DescribeMigration query => query.MigrationId,
        ListMigrationImages query => query.MigrationId,
        ReportJob report => report.MigrationId,
        ForgetMigration forget => forget.MigrationId,
        GatheredImages gathered => gathered.MigrationId,
        _ => null,
    });

    /// <summary>There is one directory.</summary>
    public static RecordExtractor ForDirectory() => new(1, message => message is IDirectoryMessage ? DirectoryActor.EntityId : null);

    public override string? EntityId(object message) => _idOf(message);
}
