using System.Collections.Immutable;
using Akka.Actor;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Cluster.Images;
using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Tests.Support;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Images;
using ImageCluster.Testing.Storage;
using Microsoft.Data.Sqlite;
using Xunit.Abstractions;

namespace ImageCluster.Cluster.Tests.Images;

/// <summary>Journals of images that are used for years stay short, and nothing that counts is forgotten.</summary>
public sealed class ImageSnapshotTests(ITestOutputHelper output) : ActorTest(output)
{
    private static readonly ImageName Image = new("kvm", "a.qcow2");
    private static readonly ImageClusterSettings Settings = new() { SnapshotEvery = 4 };
    private readonly ManualTime _time = new();

    private static string Id => ImageActor.PersistenceIdOf(Image.Key);

    [Fact]
    public async Task A_snapshot_of_an_unknown_version_makes_the_record_refuse_everything_and_say_why()
    {
        IActorRef actor = Start();
        await FaultyJournal.SetSnapshots(Sys, FaultyJournal.Mode.Newer);
        await UseAsync(actor, 3);
        await AwaitConditionAsync(async () => await FaultyJournal.CountSnapshots(Sys, Id) > 0, TimeSpan.FromSeconds(30));
        await FaultyJournal.SetSnapshots(Sys, FaultyJournal.Mode.Pass);
        await actor.GracefulStop(Soon, StopRecord.Instance);
        Refusal refusal = (await Start().Ask<ImageRefused>(Take(), Soon)).Refusal;
        Assert.Equal(RefusalKind.Conflict, refusal.Kind);
        Assert.Contains("image.state.v99", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("newer version", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Snapshots_that_cannot_be_stored_cost_nothing_and_those_that_cannot_be_read_the_answer()
    {
        await FaultyJournal.SetSnapshots(Sys, FaultyJournal.Mode.Fail);
        IActorRef actor = Sys.ActorOf(Props.Create(() => new ImageActor(Image.Key, Settings, _time)));
        Watch(actor);
        actor.Tell(Take(), TestActor);
        Assert.Equal(actor, (await ExpectMsgAsync<Terminated>(Soon)).ActorRef);
        await FaultyJournal.SetSnapshots(Sys, FaultyJournal.Mode.Pass);
        actor = Start();
        await UseAsync(actor, 1);
        await FaultyJournal.SetSnapshots(Sys, FaultyJournal.Mode.Fail);
        await UseAsync(actor, 8);
        await FaultyJournal.SetSnapshots(Sys, FaultyJournal.Mode.Pass);
        await actor.GracefulStop(Soon, StopRecord.Instance);
        Assert.Equal(10, (await Start().Ask<UseGranted>(Take(), Soon)).Token);
    }

    [Fact]
    public async Task In_the_real_journal_only_what_is_needed_is_left_and_tokens_go_on_rising()
    {
        using var directory = new TempDirectory();
        string journal = directory["journal.db"];
        ImageName overlay = new("kvm", "b.qcow2");
        ImageClusterSettings settings = TestNode.Fast with { SnapshotEvery = 10 };
        long token = 0;
        await using (TestNode node = await TestNode.StartAsync(journal, settings: settings))
        {
            await TestNode.AskAsync<ImageDone>(node.Images, new AddDependent(Image, default, overlay));
            for (int i = 0; i < 50; i++)
            {
                token = (await TestNode.AskAsync<UseGranted>(node.Images, Take())).Token;
                await TestNode.AskAsync<ImageDone>(node.Images, new EndUse(Image, default, token));
            }

            // The last snapshot and the one before, and the events behind that.
            await TestNode.UntilAsync(
                () => Task.FromResult((Events: Rows(journal, "journal", "deleted = 0"), Snapshots: Rows(journal, "snapshot", "1 = 1"))),
                rows => rows is { Events: >= 10 and <= 22, Snapshots: 2 },
                rows => rows.ToString());
            await node.KillAsync();
        }

        await using (TestNode node = await TestNode.StartAsync(journal, settings: settings))
        {
            Assert.Equal([overlay], (await TestNode.AskAsync<ImageDescription>(node.Images, new DescribeImage(Image))).Dependents);
            Assert.Equal(token + 1, (await TestNode.AskAsync<UseGranted>(node.Images, Take())).Token);
        }

        SqliteConnection.ClearAllPools();
    }

    private static TakeUse Take() => new(Image, default, "job", UsePurpose.Read, TimeSpan.FromSeconds(60), "", ImmutableList<ImageName>.Empty);

    // A name, then two events each.
    private static async Task UseAsync(IActorRef actor, int times)
    {
        for (int i = 0; i < times; i++)
        {
            long token = (await actor.Ask<UseGranted>(Take(), Soon)).Token;
            await actor.Ask<ImageDone>(new EndUse(Image, default, token), Soon);
        }
    }

    private static long Rows(string journal, string table, string which)
    {
        using var connection = new SqliteConnection($"Data Source={journal}");
        connection.Open();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT count(*) FROM {table} WHERE persistence_id = $id AND {which}";
        command.Parameters.AddWithValue("$id", Id);
        return (long)command.ExecuteScalar()!;
    }

    private IActorRef Start() => Sys.ActorOf(Props.Create(() => new ImageActor(Image.Key, Settings, _time)));
}
