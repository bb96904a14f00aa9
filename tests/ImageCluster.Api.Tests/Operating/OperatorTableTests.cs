using ImageCluster.Api.Documents;
using ImageCluster.Api.Operating;
using ImageCluster.Api.Tests.Support;

namespace ImageCluster.Api.Tests.Operating;

public sealed class OperatorTableTests
{
    private readonly FakeCluster _cluster = new();

    [Fact]
    public void Every_word_and_switch_means_one_thing()
    {
        Assert.Equal(["migration", "job", "image", "worker"], OperatorTable.All.Select(palette => palette.Name));
        foreach (OperatorPalette palette in OperatorTable.All)
        {
            Assert.Equal(palette.Commands.Count, palette.Commands.Select(command => command.Name).Distinct().Count());
            foreach (OperatorCommand command in palette.Commands)
            {
                string[] switches = [.. command.Arguments.SelectMany(argument => argument.Switches)];
                Assert.Equal(switches.Length, switches.Distinct().Count());
                Assert.Equal(command.Arguments.Count, command.Arguments.Select(argument => argument.Name).Distinct().Count());
                Assert.All(switches, text => Assert.Matches("^(-[a-zA-Z]|--[a-z-]+)$", text));
                Assert.All([command.Description, .. command.Arguments.Select(argument => argument.Description)], text => Assert.EndsWith(".", text));
            }
        }
    }

    [Theory]
    [InlineData("migration", "list submit show pause resume cancel")]
    [InlineData("job", "list submit show pause resume cancel retry")]
    [InlineData("image", "list show release")]
    [InlineData("worker", "list")]
    public void Operators_find_what_they_were_promised(string palette, string commands) =>
        Assert.Subset(
            OperatorTable.All.Single(entry => entry.Name == palette).Commands.Select(command => command.Name).ToHashSet(),
            commands.Split(' ').ToHashSet());

    [Fact]
    public async Task A_migration_is_submitted_shown_and_steered()
    {
        OperatorAnswer submitted = await Run("migration submit", ("-m", "{name: lab}"), ("--id", "m1"));
        Assert.StartsWith("submitted as m1\n", submitted.Text, StringComparison.Ordinal);
        Assert.Contains("2026-03-04 05:06:07Z by ann", submitted.Text, StringComparison.Ordinal);
        foreach ((string action, string state) in new[] { ("pause", "paused"), ("resume", "running"), ("cancel", "cancelled"), ("retry", "running") })
        {
            Assert.Contains($"state      {state}", (await Run($"migration {action}", ("-i", "m1"))).Text, StringComparison.Ordinal);
        }

        Assert.Equal("submit m1 by ann, Pause migration m1 by ann, Resume migration m1 by ann, Cancel migration m1 by ann, Retry migration m1 by ann",
            string.Join(", ", _cluster.Calls));
    }

    [Fact]
    public async Task Migrations_are_a_table()
    {
        _cluster.Migrations["a"] = new MigrationDocument
        {
            Id = "a",
            Name = "data\u001b[2Jcenter",
            State = "running",
            SubmittedAt = FakeCluster.Then,
            PlannedBytes = 3L << 30,
            DoneBytes = 1L << 30,
            Images = new ImageCounts { Total = 1234, Succeeded = 400, Skipped = 1, Failed = 2, Refused = 3 },
        };
        _cluster.Migrations["b"] = new MigrationDocument { Id = "b", Name = "x", State = "succeeded", SubmittedAt = FakeCluster.Then };
        Assert.Equal("""
            ID  NAME               STATE      IMAGES  DONE  FAILED     DATA    %  SUBMITTED
            a   data\x1b[2Jcenter  running     1,234   401       5  3.0 GiB  33%  2026-03-04 05:06:07Z
            b   x                  succeeded       0     0       0      0 B    -  2026-03-04 05:06:07Z
            """, (await Run("migration list")).Text);
        Assert.DoesNotContain("succeeded", (await Run("migration list", ("-s", "active"))).Text, StringComparison.Ordinal);
        Assert.EndsWith("\n1 of 2 shown; --offset 1 goes on", (await Run("migration list", ("-n", "1"))).Text, StringComparison.Ordinal);
        Assert.Equal("no migrations", (await Run("migration list", ("-s", "paused"))).Text);
    }

    [Fact]
    public async Task The_images_of_a_migration_are_a_table()
    {
        _cluster.MigrationImages["m"] =
        [
            new() { Index = 0, Source = "vmware:a.vmdk", Target = "kvm:a.qcow2", State = "running", Job = "m.0.1", Stage = "copy", Shards = 8, ShardsDone = 3, DataBytes = 5 << 20 },
            new() { Index = 1, Source = "vmware:b.vmdk", State = "refused", Reason = "cannot be read" },
        ];
        Assert.Equal("""
            NO  SOURCE         TARGET       STATE    STAGE  SHARDS     DATA  JOB    REASON
             0  vmware:a.vmdk  kvm:a.qcow2  running  copy      3/8  5.0 MiB  m.0.1
             1  vmware:b.vmdk               refused                     0 B         cannot be read
            """, (await Run("migration images", ("-i", "m"))).Text);
    }

    [Fact]
    public async Task A_manifest_comes_from_the_line_or_from_the_nodes_directory_if_it_keeps_one()
    {
        Assert.Equal("invalid: 'submit' needs either --manifest or --file", (await Run("migration submit")).Text);
        Assert.Equal("invalid: this node keeps no manifests for its operators; give the manifest itself with --manifest",
            (await Run("migration submit", ("-f", "lab.yaml"))).Text);
        OperatorAnswer answer = await OperatorTable.RunAsync("migration", "submit", [new("-f", "lab.yaml")], _cluster, "ann", name => $"name: {name}");
        Assert.True(answer.Succeeded);
        OperatorAnswer bad = await Run("migration submit", ("-m", "bad"));
        Assert.Equal("invalid: manifest:1:1: bad (and 1 more)\nmanifest:1:1: bad\nmanifest:2:1: worse", bad.Text);
    }

    [Fact]
    public async Task Jobs_of_each_operation_are_submitted()
    {
        Assert.True((await Run("job submit", ("-o", "convert"), ("-s", "v:a"), ("-t", "k:a"), ("-O", "qcow2"), ("--options", "cluster_size=64k,lazy_refcounts"),
            ("-c", ""), ("-i", "j1"), ("-p", "70"))).Succeeded);
        Assert.True((await Run("job submit", ("-o", "compare"), ("-s", "v:a"), ("-t", "k:a"), ("-i", "j2"))).Succeeded);
        Assert.True((await Run("job submit", ("-o", "commit"), ("-s", "v:a"), ("-i", "j3"))).Succeeded);
        Assert.True((await Run("job submit", ("-o", "rebase"), ("-s", "v:a"), ("-u", "true"), ("-i", "j4"))).Succeeded);
        Assert.True((await Run("job submit", ("-o", "resize"), ("-s", "v:a"), ("--size", "1073741824"), ("-i", "j5"))).Succeeded);
        Assert.Equal(new ChangeSpecDocument { Image = "v:a", Change = "resize", Size = 1 << 30 }, _cluster.Jobs["j5"].Spec);
        var convert = (ConvertSpecDocument)_cluster.Jobs["j1"].Spec!;
        Assert.Equal("64k", convert.Options!["cluster_size"]);
        Assert.Equal("on", convert.Options["lazy_refcounts"]);
        Assert.True(convert.Compress);
        Assert.Equal(70, _cluster.Jobs["j1"].Priority);
        Assert.Equal(new CompareSpecDocument { First = "v:a", Second = "k:a" }, _cluster.Jobs["j2"].Spec);
        Assert.Equal(new CommitSpecDocument { Top = "v:a" }, _cluster.Jobs["j3"].Spec);
        Assert.Equal(new RebaseSpecDocument { Image = "v:a", Unsafe = true }, _cluster.Jobs["j4"].Spec);
        Assert.Equal("invalid: convert needs --target", (await Run("job submit", ("-o", "convert"), ("-s", "v:a"))).Text);
        Assert.Equal("invalid: operation 'shrink' is not known",
            (await Run("job submit", ("-o", "shrink"), ("-s", "v:a"))).Text);
        Assert.Equal("invalid: priority '101' is not a number from 0 to 100", (await Run("job submit", ("-o", "commit"), ("-s", "v:a"), ("-p", "101"))).Text);
        Assert.Equal("invalid: unsafe 'maybe' is neither true nor false", (await Run("job submit", ("-o", "rebase"), ("-s", "v:a"), ("-u", "maybe"))).Text);
    }

    [Fact]
    public async Task A_job_shows_who_works_on_it_and_what_went_wrong()
    {
        _cluster.Jobs["m.0.1"] = new JobDocument
        {
            Id = "m.0.1",
            Operation = "convert",
            State = "working",
            Migration = "m",
            Stage = "copy",
            Shards = 8,
            ShardsDone = 3,
            ShardsInWork = 2,
            Priority = 50,
            SubmittedAt = FakeCluster.Then,
            Assignments = [new(7, "w/1", 2, FakeCluster.Then)],
            Troubles = [new(5, 1, 2, "no space")],
            Spec = new ConvertSpecDocument { Source = "v:a", Target = "k:a", TargetFormat = "qcow2" },
        };
        Assert.Equal("""
            id         m.0.1
            operation  convert
            images     v:a to k:a (qcow2)
            migration  m
            state      working
            stage      copy
            shards     3 of 8 done, 2 in work
            priority   50
            submitted  2026-03-04 05:06:07Z
            read       0 B
            written    0 B

            TOKEN  WORKER  SHARDS  SINCE
                7  w/1          2  2026-03-04 05:06:07Z

            SHARD  FAILED  LOST  LAST REASON
                5       1     2  no space
            """, (await Run("job show", ("-i", "m.0.1"))).Text);
        Assert.StartsWith("ID ", (await Run("job list", ("-m", "m"))).Text, StringComparison.Ordinal);
        Assert.Equal("no jobs", (await Run("job list", ("-m", "other"))).Text);
        Assert.Contains("paused", (await Run("job pause", ("-i", "m.0.1"))).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stuck_lease_is_released_for_a_reason()
    {
        _cluster.Images["kvm:a.qcow2"] = new ImageDocument
        {
            Name = "kvm:a.qcow2",
            Shards = 8,
            ShardsPublished = 3,
            Dependents = ["kvm:top.qcow2"],
            Users = [new(41, "m.0.1", "fill", true, 29.4, null, null)],
        };
        Assert.Equal("""
            IMAGE        TOKEN  HOLDER  PURPOSE  SECONDS LEFT  DETAIL
            kvm:a.qcow2     41  m.0.1   fill               30
            """, (await Run("image list")).Text);
        Assert.Equal("invalid: 'release' needs -r or --reason: Why; it is stored and shown to the holder.",
            (await Run("image release", ("-n", "kvm:a.qcow2"), ("-t", "41"))).Text);
        Assert.Equal("not found: kvm:a.qcow2 has no lease 40", (await Run("image release", ("-n", "kvm:a.qcow2"), ("-t", "40"), ("-r", "gone"))).Text);
        OperatorAnswer released = await Run("image release", ("-n", "kvm:a.qcow2"), ("-t", "41"), ("-r", "its node burned"));
        Assert.Equal("""
            image    kvm:a.qcow2
            filling  3 of 8 shards published
            overlay  kvm:top.qcow2

            TOKEN  HOLDER  PURPOSE  SECONDS LEFT  DETAIL
               41  m.0.1   fill               30  (released: its node burned)
            """, released.Text);
        Assert.Equal("release kvm:a.qcow2 41 by ann: its node burned", _cluster.Calls.Last());
    }

    [Fact]
    public async Task Workers_and_the_queue_are_shown()
    {
        Assert.Equal("no workers", (await Run("worker list")).Text);
        _cluster.Workers.Add(new WorkerDocument { Id = "w/1", Address = "node1:4053", Roots = ["kvm", "vmware"], Slots = 4, FreeSlots = 1 });
        Assert.Equal("""
            ID   ADDRESS     SLOTS  FREE  ROOTS
            w/1  node1:4053      4     1  kvm, vmware
            """, (await Run("worker list")).Text);
        _cluster.Queue = new QueueDocument(2, 4_000_000, 3, 1, 1);
        Assert.Contains("shards waiting  4,000,000", (await Run("worker queue")).Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nothing list", "invalid: there is no 'nothing'; there are migration, job, image, worker")]
    [InlineData("worker stop", "invalid: 'worker' has no command 'stop'; it has list, queue")]
    [InlineData("migration show", "invalid: 'show' needs -i or --id: The migration's id.")]
    [InlineData("migration show -i", "not found: there is no migration ")]
    public async Task What_is_wrong_is_said(string line, string answer)
    {
        string[] words = line.Split(' ');
        OperatorAnswer said = await OperatorTable.RunAsync(words[0], words[1], words[2..].Select(word => new KeyValuePair<string, string>(word, "")), _cluster, "ann");
        Assert.Equal(new OperatorAnswer(false, answer), said);
    }

    [Fact]
    public async Task An_argument_that_is_unknown_or_comes_twice_is_refused()
    {
        Assert.Equal("invalid: '--all' is not an argument of 'list'", (await Run("worker list", ("--all", ""))).Text);
        Assert.Equal("invalid: '--id' is given twice", (await Run("migration show", ("-i", "a"), ("--id", "a"))).Text);
    }

    [Fact]
    public async Task A_console_gets_an_answer_whatever_goes_wrong()
    {
        foreach (Exception trouble in new Exception[]
            { new OperationRefusedException(RefusalReason.Unavailable, "no coordinator"), new InvalidOperationException("two\nlines"), new TaskCanceledException() })
        {
            _cluster.Trouble = trouble;
            foreach (OperatorPalette palette in OperatorTable.All)
            {
                foreach (OperatorCommand command in palette.Commands)
                {
                    var given = command.Arguments.Where(argument => argument.IsMandatory || argument.Name == "manifest")
                        .Select(argument => new KeyValuePair<string, string>(argument.Name, argument.Name switch { "token" => "1", "operation" => "commit", _ => "x" }));
                    OperatorAnswer answer = await OperatorTable.RunAsync(palette.Name, command.Name, given, _cluster, "ann");
                    Assert.False(answer.Succeeded);
                    Assert.DoesNotContain('\n', answer.Text);
                    Assert.Contains(trouble is OperationRefusedException ? "not available: no coordinator" : "internal error", answer.Text, StringComparison.Ordinal);
                }
            }
        }
    }

    private Task<OperatorAnswer> Run(string line, params (string Key, string Value)[] arguments)
    {
        string[] words = line.Split(' ');
        return OperatorTable.RunAsync(words[0], words[1], arguments.Select(pair => KeyValuePair.Create(pair.Key, pair.Value)), _cluster, "ann");
    }
}
