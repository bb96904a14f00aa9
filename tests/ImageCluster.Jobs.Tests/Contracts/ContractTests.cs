using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Operations;
using ImageCluster.Jobs.Contracts;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;

namespace ImageCluster.Jobs.Tests.Contracts;

public class ContractTests
{
    private static string FixtureDirectory => Path.Combine(AppContext.BaseDirectory, "Contracts", "Fixtures");

    [Fact]
    public void Every_event_and_command_survives_the_way_to_bytes_and_back()
    {
        Assert.All(Samples.Events, sample => AssertSame(sample, EventCodec.Decode(EventCodec.ManifestOf(sample), EventCodec.Encode(sample))));
        Assert.All(Samples.States, sample => AssertSame(sample, StateCodec.Decode(StateCodec.ManifestOf(sample), StateCodec.Encode(sample))));
        Assert.All(Samples.Commands, sample => AssertSame(sample, CommandCodec.Decode(CommandCodec.ManifestOf(sample), CommandCodec.Encode(sample))));
    }

    [Fact]
    public void Every_type_of_the_domain_has_a_contract_and_a_sample()
    {
        Type[] types = [.. typeof(ImageEvent).Assembly.GetTypes().Where(type => !type.IsAbstract)];
        AssertCovered(types, EventCodec.Table, Samples.Events, typeof(ImageEvent), typeof(JobEvent), typeof(Jobs.Migrations.MigrationEvent));
        AssertCovered(types, StateCodec.Table, Samples.States, typeof(ImageState));
        AssertCovered(types, CommandCodec.Table, Samples.Commands, typeof(ImageCommand), typeof(JobCommand), typeof(Jobs.Migrations.MigrationCommand), typeof(Refusal));
    }

    /// <summary>
    /// Each file holds the bytes of one version of one event or state as they were written once, a sample a line. They must be read as the samples
    /// forever, and are what is written as long as the version is the current one.
    /// </summary>
    [Fact]
    public void Stored_bytes_of_every_version_are_read_forever()
    {
        Assert.Equal(
            EventCodec.Table.All.Concat(StateCodec.Table.All).Select(contract => contract.Manifest).Order(StringComparer.Ordinal),
            Directory.GetFiles(FixtureDirectory, "*.hex").Select(Path.GetFileNameWithoutExtension).Order(StringComparer.Ordinal));
        AssertStored(EventCodec.Table, Samples.Events);
        AssertStored(StateCodec.Table, Samples.States);
    }

    private static void AssertStored(ContractTable table, IReadOnlyList<object> all)
    {
        foreach (IGrouping<string, object> samples in all.GroupBy(table.ManifestOf))
        {
            string[] lines = File.ReadAllLines(Path.Combine(FixtureDirectory, samples.Key + ".hex"));
            Assert.Equal(lines, samples.Select(sample => Convert.ToHexStringLower(table.Encode(sample))));
            Assert.All(samples.Zip(lines), pair => AssertSame(pair.First, table.Decode(samples.Key, Convert.FromHexString(pair.Second))));
        }
    }

    [Theory]
    [InlineData("image.lease-granted.v2", "only image.lease-granted.v1: it was written by a newer version")]
    [InlineData("image.nonsense.v1", "does not know the event 'image.nonsense.v1'")]
    [InlineData("", "does not know the event ''")]
    [InlineData("image.take-use.v1", "does not know the event")]
    public void Unknown_manifests_are_named(string manifest, string message) =>
        Assert.Contains(message, Assert.Throws<ContractException>(() => EventCodec.Decode(manifest, Array.Empty<byte>())).Message, StringComparison.Ordinal);

    [Fact]
    public void Damaged_bytes_give_a_contract_exception_and_nothing_else()
    {
        foreach ((ContractTable table, object sample) in Samples.Events.Select(e => (EventCodec.Table, e)).Concat(Samples.States.Select(state => (StateCodec.Table, state))))
        {
            (string manifest, byte[] bytes) = (table.ManifestOf(sample), table.Encode(sample));
            for (int i = 0; i < bytes.Length; i++)
            {
                foreach (byte[] damaged in (byte[][])[bytes[..i], [.. bytes[..i], 0xff, .. bytes[(i + 1)..]], [.. bytes[..i], (byte)(bytes[i] ^ 0x41), .. bytes[(i + 1)..]]])
                {
                    try
                    {
                        table.Decode(manifest, damaged);
                    }
                    catch (ContractException)
                    {
                    }
                }
            }
        }
    }

    [Fact]
    public void A_state_of_a_newer_version_is_named() => Assert.Contains(
        "the state 'image.state.v2', only image.state.v1: it was written by a newer version",
        Assert.Throws<ContractException>(() => StateCodec.Decode("image.state.v2", Array.Empty<byte>())).Message,
        StringComparison.Ordinal);

    [Fact]
    public void What_is_no_event_is_refused()
    {
        Assert.Throws<ContractException>(() => EventCodec.Encode("text"));
        Assert.Throws<ContractException>(() => EventCodec.Decode<JobEvent>("image.fill-abandoned.v1", EventCodec.Encode(new FillAbandoned(default))));
        Assert.False(EventCodec.IsEvent("text"));
        Assert.True(CommandCodec.IsCommand(new Refusal(RefusalKind.InUse, "")));
    }

    /// <summary>4 million of them are stored in a large migration.</summary>
    [Fact]
    public void The_events_of_a_finished_shard_are_small()
    {
        const long Shard = 130_000;
        long host = 63L << 40;
        var manifest = new ShardManifest(Shard, [host], [new RoomExtent(host, (512L << 20) + 65536)], 512L << 20);
        var result = new ShardResult
        {
            Shard = Shard,
            Manifest = manifest,
            Digest = [new GuestDigestPart(Shard << 9, 9, GuestHash.Of("x"u8))],
            BytesRead = 512L << 20,
            BytesWritten = 512L << 20,
        };
        Assert.InRange(EventCodec.Encode(new ShardsCompleted(100_000, [result])).Length, 1, 110);
        Assert.InRange(EventCodec.Encode(new ShardsPublished(100_000, [new PublishedShard(Shard, [.. manifest.Rooms])])).Length, 1, 35);
    }

    private static void AssertSame(object expected, object actual)
    {
        Assert.IsType(expected.GetType(), actual);
        Assert.Equal(StateText.Of(expected), StateText.Of(actual));
    }

    private static void AssertCovered(Type[] types, ContractTable table, IReadOnlyList<object> samples, params Type[] roots)
    {
        string[] domain = [.. types.Where(type => roots.Any(root => root.IsAssignableFrom(type))).Select(type => type.Name).Order(StringComparer.Ordinal)];
        Assert.Equal(domain, table.All.Select(contract => contract.Type.Name).Distinct().Order(StringComparer.Ordinal));
        Assert.Equal(domain, samples.Select(sample => sample.GetType().Name).Distinct().Order(StringComparer.Ordinal));
    }
}
