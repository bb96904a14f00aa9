namespace ImageCluster.Cluster.Scale;

/// <summary>What a simulated migration cost. Bytes.</summary>
/// <param name="Time">From its submission until it was seen to have ended.</param>
/// <param name="Cpu">Of all threads of the process.</param>
/// <param name="PeakWorkingSet">Of the process: coordinator and workers.</param>
/// <param name="JournalFile">With the log that is written ahead.</param>
/// <param name="Events">Stored.</param>
/// <param name="EventBytes">Of their contents alone.</param>
internal sealed record MigrationCost(long Shards, TimeSpan Time, TimeSpan Cpu, long PeakWorkingSet, long JournalFile, long Events, long EventBytes)
{
    public double ShardsPerSecond => Shards / Time.TotalSeconds;

    public double JournalBytesPerShard => (double)JournalFile / Shards;
}
