using System.Collections.Immutable;
using Akka.Actor;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Migrations;

namespace ImageCluster.Cluster.Tests.Support;

/// <summary>A migration of images that are not there, from <c>vmware</c> to <c>kvm</c>, which a <see cref="FakeGatherer"/> finds.</summary>
internal static class SimulatedMigration
{
    public const string Manifest = """
        version: 1
        name: west
        sources:
          - root: vmware
            include: ['**/*.vmdk']
        target:
          root: kvm
          format: qcow2
          backing: keep
        verify: none
        priority: 70
        parallel: { images: 2 }
        limits: { shards: 3 }
        """;

    /// <summary>Of the worker that converts: it does not reach the root of the manifest's sources until there is a plan, so that only the other one gathers.</summary>
    public static IReadOnlyDictionary<string, string> Roots { get; } = new Dictionary<string, string> { ["kvm"] = "/nowhere" };

    /// <summary>So many images, numbered: the second stands on the first, the fifth is there already. The sources lie where both kinds of workers look.</summary>
    public static ImmutableList<MigratedImage> Images(int count) =>
    [
        .. Enumerable.Range(0, count).Select(index => new MigratedImage
        {
            Index = index,
            Source = new ImageName("kvm", $"{index}.vmdk"),
            Target = new ImageName("kvm", $"{index}.qcow2"),
            Base = index == 1 ? 0 : -1,
            AllocatedBytes = 1 << 20,
            Progress = index == 4 ? ImageProgress.Skipped : ImageProgress.Waiting,
            Reason = index == 4 ? "there already" : "",
        }),
    ];

    /// <summary>Starts the worker that finds these images.</summary>
    public static void GatherOn(TestNode node, ImmutableList<MigratedImage> images, ImmutableList<string>? refusals = null) =>
        node.System.ActorOf(Props.Create(() => new FakeGatherer(node.Scheduler, node.Jobs, images, refusals ?? ImmutableList<string>.Empty)));
}
