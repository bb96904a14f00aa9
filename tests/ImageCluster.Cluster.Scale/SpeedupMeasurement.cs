namespace ImageCluster.Cluster.Scale;

/// <summary>How much sooner many workers of one fixed speed are done than a single one is.</summary>
internal sealed class SpeedupMeasurement(int images, int shards, int workers, TimeSpan shardTime)
{
    // 58 of 64.
    private const double LeastEfficiency = 58.0 / 64;

    public async Task<int> RunAsync(TextWriter output)
    {
        var report = new Report(output);
        report.Say($"{images:#,0} images of {shards:#,0} shards, {shardTime.TotalMilliseconds:0.###} ms each: {images * shards * shardTime.TotalSeconds:0} s of work");
        MigrationCost many = await new SimulatedMigration(images, shards, images, workers, shardTime).RunAsync();
        report.Say($"{many.Time.TotalSeconds:0.0} s by {workers:#,0} workers, {many.Shards * shardTime / many.Time / workers:P1} of their time at work");
        MigrationCost one = await new SimulatedMigration(images, shards, images, 1, shardTime).RunAsync();
        report.Say($"{one.Time.TotalSeconds:0.0} s by one");
        report.AtLeast("times as fast", one.Time / many.Time, LeastEfficiency * workers);
        return report.ExitCode;
    }
}
