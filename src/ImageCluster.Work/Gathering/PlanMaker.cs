using ImageCluster.Imaging.Storage;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Manifests;
using ImageCluster.Jobs.Plans;
using ImageCluster.Work.Roots;
using ImageCluster.Work.Targets;

namespace ImageCluster.Work.Gathering;

/// <summary>Finds out what the plan must know (sources, chains, sizes, what stands at the targets, free space, what earlier runs did) and plans.</summary>
public sealed class PlanMaker(MigrationManifest manifest, RootMap roots, SourceInspector inspector, IFileLocator locator, IEarlierRuns? earlier)
{
    private const string DoneReason = "done in an earlier run";

    /// <param name="inspected">Called, from any thread, with how many images have been looked at, and how many there are.</param>
    /// <param name="cancel">Looked at between images.</param>
    public GatheredPlan Make(Action<int, int> inspected, CancellationToken cancel)
    {
        IReadOnlyList<FoundSource> found = new SourceScanner(manifest, roots).Scan(cancel);
        Dictionary<ImageName, JobState> done = [];
        Dictionary<ImageName, string> reasons = [];
        foreach (FoundSource source in found)
        {
            if (DoneEarlier(source, out string reason) is { } job)
            {
                done[source.Name] = job;
                reasons[source.Name] = reason;
            }
        }

        SourceFacts[] facts = Inspect(found, done, inspected, cancel);
        IReadOnlyList<TargetAssignment> assignments = MigrationPlanner.Assign(manifest, facts);
        Dictionary<ImageName, TargetFacts> targets = [];
        long partialBytes = 0;
        string targetRoot = roots.Of(manifest.Target.Root.Text);
        bool isDirectory = !RemoteRoot.IsOne(targetRoot) && !TargetStanding.IsForDevices(targetRoot);
        foreach (TargetAssignment assignment in assignments)
        {
            if (assignment.Target is { } target && !targets.ContainsKey(target))
            {
                targets.Add(target, Look(target, assignment.Source.Image, done));
                partialBytes += isDirectory && !done.ContainsKey(assignment.Source.Image) ? new StagingArea(roots.PathOf(target), manifest.Name).AllocatedBytes : 0;
            }
        }

        // What unfinished targets occupy is part of what they need.
        long? free = isDirectory && FreeSpace.At(targetRoot) is { } bytes ? bytes + partialBytes : null;
        MigrationPlan plan = MigrationPlanner.Plan(manifest, assignments, targets, free);
        plan = plan with
        {
            Images =
            [
                .. plan.Images.Select(image => image.Action == PlanAction.Convert && reasons.TryGetValue(image.Source, out string? reason)
                    ? image with { Action = PlanAction.Skip, Reason = reason }
                    : image),
            ],
        };
        return new GatheredPlan(plan, found.ToDictionary(source => source.Name), done);
    }

    private SourceFacts[] Inspect(
        IReadOnlyList<FoundSource> found, Dictionary<ImageName, JobState> done, Action<int, int> inspected, CancellationToken cancel)
    {
        var facts = new SourceFacts[found.Count];
        int count = 0;
        inspected(0, facts.Length);
        var options = new ParallelOptions { MaxDegreeOfParallelism = Math.Clamp(Environment.ProcessorCount, 2, 16), CancellationToken = cancel };
        Parallel.For(0, facts.Length, options, i =>
        {
            // What is done is not opened: its source may be in use again, or gone.
            facts[i] = done.ContainsKey(found[i].Name)
                ? new SourceFacts { Image = found[i].Name, Identity = Identity(found[i].Path), MeasuredTargetBytes = 0 }
                : inspector.Inspect(found[i], manifest.Target.Backing, cancel);
            inspected(Interlocked.Increment(ref count), facts.Length);
        });
        return facts;
    }

    private JobState? DoneEarlier(FoundSource source, out string reason)
    {
        reason = DoneReason;
        if (earlier?.LatestJob(source.Name) is not { HasEnded: true, End.Outcome: JobOutcome.Succeeded, Spec: ConvertSpec spec } job ||
            !Stands(roots.PathOf(spec.Target)))
        {
            return null;
        }

        reason = $"{DoneReason} ({job.End!.At.ToDateTimeOffset():yyyy-MM-dd HH:mm} UTC)";
        if (earlier.SourceFingerprint(job.Id) is { } fingerprint && SourceWatch.IsStill(fingerprint, roots.Protocols))
        {
            return job;
        }

        reason += "; its source has changed since (to convert it again: existing replace)";
        return manifest.Target.Existing == ExistingTarget.Replace ? null : job;
    }

    private TargetFacts Look(ImageName target, ImageName source, Dictionary<ImageName, JobState> done)
    {
        string path = roots.PathOf(target);
        try
        {
            bool isOurs = done.ContainsKey(source) || IsBeingInstalled(source, path);
            return new TargetFacts(Identity(path), !isOurs && Stands(path))
            {
                Capacity = done.ContainsKey(source) ? null : TargetStanding.CapacityOf(path, roots),
            };
        }
        catch (Imaging.ImageException e)
        {
            return new TargetFacts(Identity(path), Exists: false) { Problem = ErrorText.Join(e.Message, e.Hint) };
        }
    }

    private bool Stands(string path) => RemoteRoot.IsOne(path) ? roots.AllFiles.Exists(path) : locator.Exists(path);

    // Killed between giving the target its name and noting that: the file is the one that was to be named.
    private bool IsBeingInstalled(ImageName source, string path) =>
        earlier?.LatestJob(source) is { HasEnded: false } job && earlier.TargetIdentity(job.Id) is { } noted && TargetStanding.IdentityOf(path, roots) == noted;

    private string Identity(string path)
    {
        try
        {
            return RemoteRoot.IsOne(path) ? roots.AllFiles.Canonical(path) : locator.Canonical(path);
        }
        catch (Imaging.ImageException)
        {
            return path;
        }
    }
}
