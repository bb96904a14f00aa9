namespace ImageCluster.Cli.Journal;

internal sealed class MigrationJournal
{
    public const string DirectoryName = ".imagecluster";
}
