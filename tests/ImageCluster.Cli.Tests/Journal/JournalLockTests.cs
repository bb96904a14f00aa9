using ImageCluster.Cli.Journal;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Cli.Tests.Journal;

public sealed class JournalLockTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void OneAtATimeAndTheOtherIsToldWho()
    {
        string path = Path.Join(_directory.Path, "lock");
        using (JournalLock.Take(path, "lab"))
        {
            CliException e = Assert.Throws<CliException>(() => JournalLock.Take(path, "lab"));
            Assert.Equal(ExitCode.Refused, e.ExitCode);
            Assert.Equal($"migration 'lab' is running already: process {Environment.ProcessId} on {Environment.MachineName}", e.Message);
        }

        JournalLock.Take(path, "lab").Dispose();
    }
}
