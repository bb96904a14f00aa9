using ImageCluster.Cli.Journal;
using ImageCluster.Testing.Storage;
using Microsoft.Data.Sqlite;

namespace ImageCluster.Cli.Tests.Journal;

public sealed class EventStoreTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    private string FilePath => Path.Join(_directory.Path, "a.journal.db");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void EventsComeBackInTheirOrderAndNotesAsLastWritten()
    {
        using (EventStore store = EventStore.Open(FilePath))
        {
            store.Append([new("b", "x.v1", [1]), new("a", "y.v1", [])], new Dictionary<string, string> { ["k"] = "1" });
            store.Append([new("b", "x.v1", [2, 3])], new Dictionary<string, string> { ["k"] = "2" });
        }

        using EventStore again = EventStore.Open(FilePath);
        Assert.Equal(["b 1", "a ", "b 2,3"], again.ReadAll().Select(e => $"{e.Stream} {string.Join(',', e.Payload)}"));
        Assert.Equal("2", again.Note("k"));
        Assert.Null(again.Note("other"));
    }

    [Fact]
    public void AJournalThatIsOpenElsewhereIsRefused()
    {
        using EventStore store = EventStore.Open(FilePath);
        store.Append([new("b", "x.v1", [1])]);
        CliException e = Assert.Throws<CliException>(() =>
        {
            using EventStore second = EventStore.Open(FilePath);
        });
        Assert.Equal(ExitCode.Refused, e.ExitCode);
        Assert.Contains("open in another process", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatIsNoJournalIsRefusedAndLeftAlone()
    {
        File.WriteAllText(FilePath, new string('x', 5000));
        Assert.Equal(ExitCode.Refused, Assert.Throws<CliException>(() => EventStore.Open(FilePath)).ExitCode);
        Assert.Equal(5000, new FileInfo(FilePath).Length);
        File.Delete(FilePath);
        Execute("CREATE TABLE mine (x)");
        Assert.Contains("not a journal", Assert.Throws<CliException>(() => EventStore.Open(FilePath)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AJournalOfANewerProgramIsRefused()
    {
        EventStore.Open(FilePath).Dispose();
        Execute("PRAGMA user_version = 2");
        Assert.Contains("newer imagecluster", Assert.Throws<CliException>(() => EventStore.Open(FilePath)).Message, StringComparison.Ordinal);
    }

    private void Execute(string sql)
    {
        using SqliteConnection connection = new($"Data Source={FilePath};Pooling=False");
        connection.Open();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
