namespace ImageCluster.Cluster.Scale;

/// <summary>How fast one coordinator plans, schedules and finishes shards, in how much memory, and what its journal grows by.</summary>
internal sealed class LoadMeasurement(int images, int shards, int atATime, int workers)
{
    private const double LeastShardsPerSecond = 5_000;
    private const long MostMemory = 1L << 30;
    private const double MostJournalPerShard = 300;

    public async Task<int> RunAsync(TextWriter output)
    {
        var report = new Report(output);
        report.Say($"{images:#,0} images of {shards:#,0} shards, {atATime:#,0} at a time, {workers:#,0} workers");
        MigrationCost cost = await new SimulatedMigration(images, shards, atATime, workers, TimeSpan.Zero).RunAsync();
        report.Say($"{cost.Time.TotalSeconds:0.0} s, {cost.Cpu.TotalSeconds:0.0} s of processor time ({cost.Cpu.TotalMicroseconds / cost.Shards:0} microseconds a shard)");
        report.Say($"{cost.Events:#,0} events of {(double)cost.EventBytes / cost.Shards:0.0} bytes a shard in all");
        report.AtLeast("shards a second", cost.ShardsPerSecond, LeastShardsPerSecond);
        report.AtMost("peak memory, coordinator and workers, MiB", cost.PeakWorkingSet >> 20, MostMemory >> 20);
        report.AtMost("journal, bytes a shard", cost.JournalBytesPerShard, MostJournalPerShard);
        return report.ExitCode;
    }
}
