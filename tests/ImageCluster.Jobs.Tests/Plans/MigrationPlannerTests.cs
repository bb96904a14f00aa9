using ImageCluster.Jobs.Manifests;
using ImageCluster.Jobs.Plans;
using ImageCluster.Jobs.Tests.Manifests;

namespace ImageCluster.Jobs.Tests.Plans;

public class MigrationPlannerTests
{
    private const long Mebibyte = 1 << 20;

    [Fact]
    public void A_plain_plan_adds_up()
    {
        MigrationPlan plan = Plan("", [Source("a.vmdk", size: 100 * Mebibyte, data: 10 * Mebibyte), Source("d/b.vmdk", size: 50 * Mebibyte, data: 5 * Mebibyte)],
            free: 1L << 40);

        Assert.True(plan.CanStart);
        Assert.Equal(["dst:a.qcow2", "dst:d/b.qcow2"], plan.ToConvert.Select(image => image.Target!.ToString()));
        Assert.Equal(150 * Mebibyte, plan.TotalVirtualSize);
        Assert.Equal(15 * Mebibyte, plan.TotalAllocatedBytes);
        Assert.InRange(plan.TotalEstimatedBytes, 15 * Mebibyte, 20 * Mebibyte);
        Assert.Equal("vmdk", plan.Images[0].SourceFormat);
    }

    [Fact]
    public void A_disk_without_bytes_becomes_no_vmdk()
    {
        MigrationPlan plan = Plan("", [Source("a.vmdk", size: 0, data: 0), Source("b.vmdk")], format: "vmdk");
        Assert.Equal((PlanAction.Refuse, PlanAction.Convert), (plan.Images[0].Action, plan.Images[1].Action));
        Assert.Contains("no bytes", plan.Images[0].Reason, StringComparison.Ordinal);
        Assert.Equal(PlanAction.Convert, Plan("", [Source("a.vmdk", size: 0, data: 0)]).Images[0].Action);
    }

    [Fact]
    public void Nothing_to_do_is_refused() => AssertRefused(Plan("", []), PlanRefusalKind.NothingToDo, "no image matches");

    [Fact]
    public void Two_sources_with_one_target_are_refused() => AssertRefused(
        Plan("name: \"{name}.qcow2\"", [Source("a/x.vmdk"), Source("b/x.vmdk")]),
        PlanRefusalKind.DuplicateTarget, "src:a/x.vmdk and src:b/x.vmdk have the same target dst:x.qcow2");

    [Fact]
    public void Two_names_of_one_target_file_are_refused()
    {
        // The names differ and are links to one file.
        MigrationPlan plan = Plan("", [Source("a.vmdk"), Source("b.vmdk")], targets: name => new TargetFacts("/dst/same", false));
        AssertRefused(plan, PlanRefusalKind.DuplicateTarget, "src:a.vmdk and src:b.vmdk");
    }

    [Fact]
    public void A_target_that_is_its_source_is_refused() => AssertRefused(
        Plan("name: \"{file}\"", [Source("a.vmdk")], targets: _ => new TargetFacts("/src/a.vmdk", true)),
        PlanRefusalKind.TargetIsSource, "is a file that this image is read from");

    [Theory]
    [InlineData("/src/base.img")]
    [InlineData("/src/a-flat.vmdk")]
    [InlineData("/src/b.vmdk")]
    public void A_target_that_anything_is_read_from_is_refused(string identity)
    {
        SourceFacts overlay = Source("a.vmdk") with
        {
            Chain = [new ChainLayer("a.vmdk", "vmdk", "/src/a.vmdk"), new ChainLayer("base.img", "raw", "/src/base.img")],
            OtherFiles = ["/src/a-flat.vmdk"],
        };
        MigrationPlan plan = Plan("existing: replace", [overlay, Source("b.vmdk")],
            targets: name => name.Path == "a.qcow2" ? new TargetFacts(identity, true) : Nowhere(name));
        AssertRefused(plan, PlanRefusalKind.TargetIsSource, "the target of src:a.vmdk");
    }

    [Theory]
    [InlineData("fail", PlanAction.Refuse, false)]
    [InlineData("skip", PlanAction.Skip, true)]
    [InlineData("replace", PlanAction.Convert, true)]
    public void Existing_targets(string existing, PlanAction action, bool canStart)
    {
        MigrationPlan plan = Plan($"existing: {existing}", [Source("a.vmdk")], targets: name => Nowhere(name) with { Exists = true });

        Assert.Equal(canStart, plan.CanStart);
        Assert.Equal(action, Assert.Single(plan.Images).Action);
        Assert.Equal(action == PlanAction.Convert, plan.Images[0].Replaces);
        Assert.All(plan.Refusals, refusal => Assert.Equal(PlanRefusalKind.TargetExists, refusal.Kind));
    }

    [Fact]
    public void An_image_that_cannot_be_read_is_refused_alone()
    {
        MigrationPlan plan = Plan("", [Source("a.vmdk") with { Chain = [], Problem = "Image is truncated" }, Source("b.vmdk")]);

        Assert.True(plan.CanStart);
        Assert.Equal([PlanAction.Refuse, PlanAction.Convert], plan.Images.Select(image => image.Action));
        Assert.Equal("Image is truncated", plan.Images[0].Reason);
    }

    [Fact]
    public void Parts_of_another_image_are_skipped()
    {
        MigrationPlan plan = Plan("", [Source("a-flat.vmdk") with { Problem = "not a vmdk" }, Source("a.vmdk") with { OtherFiles = ["/src/a-flat.vmdk"] }]);

        Assert.True(plan.CanStart);
        Assert.Equal([PlanAction.Skip, PlanAction.Convert], plan.Images.Select(image => image.Action));
        Assert.Equal("a part of src:a.vmdk", plan.Images[0].Reason);
    }

    [Fact]
    public void What_does_not_fit_is_refused()
    {
        SourceFacts[] sources = [Source("a.vmdk") with { MeasuredTargetBytes = 600 }, Source("b.vmdk") with { MeasuredTargetBytes = 401 }];
        Assert.True(Plan("", sources, free: 1001).CanStart);
        AssertRefused(Plan("", sources, free: 1000), PlanRefusalKind.NoSpace, "need up to 1,001 bytes and root 'dst' has 1,000 free");
    }

    [Fact]
    public void Sums_of_untrusted_sizes_do_not_overflow()
    {
        MigrationPlan plan = Plan("", [Source("a.vmdk", long.MaxValue, long.MaxValue), Source("b.vmdk", long.MaxValue, long.MaxValue)], free: long.MaxValue - 1);
        Assert.Equal(long.MaxValue, plan.TotalVirtualSize);
        Assert.Contains(plan.Refusals, refusal => refusal.Kind == PlanRefusalKind.NoSpace);
    }

    [Theory]
    [InlineData("name: \"../{name}\"")]
    [InlineData("name: \"/abs/{name}\"")]
    [InlineData("name: \"{path}/{ext}/\"")]
    public void Target_names_stay_in_their_root(string name) =>
        AssertRefused(Plan(name, [Source("a.vmdk")]), PlanRefusalKind.BadTargetName, "src:a.vmdk: the target's name");

    [Fact]
    public void A_target_under_another_is_refused() => AssertRefused(
        Plan("name: \"{path}/{name}\"", [Source("x.vmdk"), Source("x/y/z.vmdk")]),
        PlanRefusalKind.DuplicateTarget, "dst:x/y/z, needs a directory where the target of src:x.vmdk is a file");

    [Fact]
    public void Kept_chains_are_converted_base_first()
    {
        SourceFacts[] sources = [OnBase("c.vmdk", "b.vmdk"), OnBase("b.vmdk", "a.vmdk"), Source("a.vmdk"), Source("z.vmdk")];
        MigrationPlan plan = Plan("backing: keep", sources);

        Assert.True(plan.CanStart);
        Assert.Equal(["a.vmdk", "b.vmdk", "c.vmdk", "z.vmdk"], plan.Images.Select(image => image.Source.Path));
        Assert.Equal([null, "dst:a.qcow2", "dst:b.qcow2", null], plan.Images.Select(image => image.BackingTarget?.ToString()));
    }

    [Fact]
    public void A_kept_chain_needs_its_base()
    {
        AssertRefused(Plan("backing: keep", [OnBase("b.vmdk", "a.vmdk")]), PlanRefusalKind.BaseNotMigrated, "stands on 'a.vmdk'");
        AssertRefused(Plan("backing: keep", [OnBase("b.vmdk", "a.vmdk"), Source("a.vmdk") with { Problem = "broken" }]),
            PlanRefusalKind.BaseNotMigrated, "stands on 'a.vmdk'");
        Assert.True(Plan("backing: flatten", [OnBase("b.vmdk", "a.vmdk")]).CanStart);
    }

    [Fact]
    public void A_target_that_keeps_its_size_must_hold_the_disk() => AssertRefused(
        Plan("existing: replace", [Source("a.vmdk")], targets: _ => new TargetFacts("nbd://host/a", true) { Capacity = 10 }),
        PlanRefusalKind.NoSpace, "has 10 bytes and needs");

    [Fact]
    public void A_target_that_cannot_be_written_is_refused_with_the_reason() => AssertRefused(
        Plan("", [Source("a.vmdk")], targets: _ => new TargetFacts("/dev/vg0/a", false) { Problem = "There is no block device of that name" }),
        PlanRefusalKind.TargetUnusable, "cannot be written: There is no block device of that name");

    private static void AssertRefused(MigrationPlan plan, PlanRefusalKind kind, string message)
    {
        Assert.False(plan.CanStart);
        PlanRefusal refusal = Assert.Single(plan.Refusals, refusal => refusal.Kind == kind);
        Assert.Contains(message, refusal.Message, StringComparison.Ordinal);
        Assert.NotEmpty(refusal.Hint);
    }

    private static MigrationPlan Plan(
        string targetKey, IReadOnlyList<SourceFacts> sources, Func<ImageName, TargetFacts>? targets = null, long? free = null, string format = "qcow2")
    {
        MigrationManifest manifest = ManifestParser.Parse($"""
            version: 1
            name: test
            sources:
              - root: src
                include: "**"
            target:
              root: dst
              format: {format}
              {targetKey}
            """, "test", FakeFormats.All);
        IReadOnlyList<TargetAssignment> assignments = MigrationPlanner.Assign(manifest, sources);
        Dictionary<ImageName, TargetFacts> facts = assignments.Select(assignment => assignment.Target).OfType<ImageName>().Distinct()
            .ToDictionary(name => name, targets ?? Nowhere);
        return MigrationPlanner.Plan(manifest, assignments, facts, free);
    }

    private static TargetFacts Nowhere(ImageName name) => new("/dst/" + name.Path, false);

    private static SourceFacts Source(string path, long size = 64 * Mebibyte, long data = Mebibyte) => new()
    {
        Image = new ImageName("src", path),
        Identity = "/src/" + path,
        Chain = [new ChainLayer(path, "vmdk", "/src/" + path)],
        VirtualSize = size,
        AllocatedBytes = data,
    };

    private static SourceFacts OnBase(string path, string basePath)
    {
        SourceFacts source = Source(path);
        return source with { Chain = [source.Chain[0], new ChainLayer(basePath, "vmdk", "/src/" + basePath)] };
    }
}
