using ImageCluster.Cli.Tests.Support;
using ImageCluster.Testing.Qemu;
using ImageCluster.Work.Targets;
using Microsoft.Data.Sqlite;

namespace ImageCluster.Cli.Tests.EndToEnd;

/// <summary>Instants of a crash that are too short to hit by chance: the journal is cut back to them.</summary>
public sealed class ResumeTests : IDisposable
{
    private readonly Lab _lab = new();

    public void Dispose() => _lab.Dispose();

    [SkippableTheory]
    [InlineData("raw")]
    [InlineData("qcow2")]
    [InlineData("vmdk")]
    public void KilledBetweenTheTargetsNamingAndItsNote(string format)
    {
        QemuTools.Require();
        _lab.AddRaw("a.raw", 1, 2 << 20);
        _lab.Run("migrate", "--to", format, "src", "out").Expect(0);
        // The last thing that the journal knows is that installing began.
        Cut("manifest = 'job.shards-started.v1'", keepIt: true);
        CliRun again = _lab.Run("migrate", "--to", format, "src", "out").Expect(0);
        Assert.Contains("1 of 1 image done", again.Output, StringComparison.Ordinal);
        QemuTools.Img("compare", "-f", "raw", "-F", format, _lab["src/a.raw"], _lab[$"out/a.{format}"]);
        Assert.Contains("Nothing to do", _lab.Run("migrate", "--to", format, "src", "out").Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("compare", "verification failed: the target differs from its source at guest offset 1,048,576")]
    [InlineData("digest", "the target reads back with digest sha256t:")]
    public void ATargetThatReadsBackDifferentlyFailsAndIsRemoved(string verify, string expected)
    {
        string source = _lab[$"src/{new string('a', 8)}.raw"];
        File.WriteAllBytes(source, Enumerable.Repeat((byte)0x5A, 3 << 20).ToArray());
        string[] command = ["migrate", "--to", "raw", "--verify", verify, "src", "out", "--output", "plain"];
        using (CliProcess process = CliProcess.Start(_lab.Path, [.. command, "--rate", "4MiB/s"]))
        {
            while (!process.Output.Contains("verifying", StringComparison.Ordinal) && !process.HasExited)
            {
                process.Wait(TimeSpan.FromMilliseconds(5));
            }

            process.Kill();
        }

        string? staged = Directory.EnumerateFiles(_lab["out"], "aaaaaaaa.raw", SearchOption.AllDirectories)
            .FirstOrDefault(file => file.Contains("imagecluster-partial", StringComparison.Ordinal));
        if (staged is null)
        {
            // Without the source to read, reading back is not slowed down: it was done before the kill. Take it back to before.
            Cut("manifest = 'job.stage-entered.v1' AND stream LIKE 'job:%' AND sequence < (SELECT max(sequence) FROM events WHERE manifest = 'job.stage-entered.v1')", keepIt: true);
            string partial = new StagingArea(_lab["out/aaaaaaaa.raw"], MigrationName()).DirectoryPath;
            Directory.CreateDirectory(partial);
            staged = Path.Join(partial, "aaaaaaaa.raw");
            File.Move(_lab["out/aaaaaaaa.raw"], staged);
        }

        using (Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle(staged, FileMode.Open, FileAccess.Write))
        {
            RandomAccess.Write(file, [1], 1 << 20);
        }

        CliRun run = _lab.Run(command).Expect(ExitCode.SomeFailed);
        Assert.Contains(expected, run.Output, StringComparison.Ordinal);
        Assert.Empty(_lab.Targets());
        _lab.Run(command).Expect(0);
        Assert.Equal(File.ReadAllBytes(source), File.ReadAllBytes(_lab["out/aaaaaaaa.raw"]));
    }

    [Fact]
    public void SomebodyElsesFileIsNotTakenForTheTargetThatWasBeingNamed()
    {
        _lab.AddRaw("a.raw", 1, 2 << 20);
        _lab.Run("migrate", "--to", "raw", "src", "out").Expect(0);
        Cut("manifest = 'job.shards-started.v1'", keepIt: true);
        // Another file under the name; the old one is kept, so that its number is not given out again.
        File.Move(_lab["out/a.raw"], _lab["kept.raw"]);
        File.WriteAllText(_lab["out/a.raw"], "somebody's");
        _lab.Run("migrate", "--to", "raw", "src", "out").Expect(ExitCode.Refused);
        Assert.Equal("somebody's", File.ReadAllText(_lab["out/a.raw"]));

        File.Delete(_lab["out/a.raw"]);
        CliRun again = _lab.Run("migrate", "--to", "raw", "src", "out").Expect(0);
        Assert.Contains("the unfinished target of the last run is gone; converting it from the start", again.Output, StringComparison.Ordinal);
        Assert.Equal(File.ReadAllBytes(_lab["src/a.raw"]), File.ReadAllBytes(_lab["out/a.raw"]));
    }

    [Fact]
    public void AJobThatWasSubmittedAndNotPlannedIsBegunAgain()
    {
        _lab.AddRaw("a.raw", 1, 1 << 20);
        _lab.Run("migrate", "--to", "raw", "src", "out").Expect(0);
        Cut("manifest = 'job.submitted.v1'", keepIt: true);
        File.Delete(_lab["out/a.raw"]);
        CliRun again = _lab.Run("migrate", "--to", "raw", "src", "out").Expect(0);
        Assert.DoesNotContain("from the start", again.Output, StringComparison.Ordinal);
        Assert.Equal(File.ReadAllBytes(_lab["src/a.raw"]), File.ReadAllBytes(_lab["out/a.raw"]));
    }

    [Fact]
    public void ADamagedJournalIsRefusedAndRestartHelps()
    {
        _lab.AddRaw("a.raw", 1, 1 << 20);
        _lab.Run("migrate", "--to", "raw", "src", "out").Expect(0);
        using (SqliteConnection connection = Open())
        {
            Execute(connection, "UPDATE events SET payload = x'ff' WHERE manifest = 'job.planned.v1'");
        }

        CliRun refused = _lab.Run("migrate", "--to", "raw", "src", "out").Expect(ExitCode.Refused);
        Assert.Contains("the journal cannot be read", refused.Error, StringComparison.Ordinal);
        _lab.Run("migrate", "--to", "raw", "--restart", "--existing", "skip", "src", "out").Expect(0);
    }

    // Takes back everything behind the last event that the condition picks.
    private void Cut(string condition, bool keepIt)
    {
        using SqliteConnection connection = Open();
        Execute(connection, $"DELETE FROM events WHERE sequence {(keepIt ? ">" : ">=")} (SELECT max(sequence) FROM events WHERE {condition})");
    }

    private string MigrationName()
    {
        string report = Directory.GetFiles(_lab[$"out/{OwnNames.JournalDirectory}"], "*.journal.db").Single();
        return Path.GetFileName(report)[..^".journal.db".Length];
    }

    private SqliteConnection Open()
    {
        string journal = Directory.GetFiles(_lab[$"out/{OwnNames.JournalDirectory}"], "*.journal.db").Single();
        SqliteConnection connection = new($"Data Source={journal};Pooling=False");
        connection.Open();
        return connection;
    }

    private static void Execute(SqliteConnection connection, string sql)
    {
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
