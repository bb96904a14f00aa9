using System.Collections.Immutable;
using Akka.Actor;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Cluster.Messages;
using ImageCluster.Cluster.Records;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;

namespace ImageCluster.Cluster.Jobs;

/// <summary>
/// What a job asks of its images' actors, in steps that may be taken again from the start at any time. They run beside the job's actor and touch
/// nothing of it; an image that does not answer ends a step in an exception.
/// </summary>
internal sealed class JobImages(string jobId, RecordKeepers keepers, ImageClusterSettings settings, RecordClock clock)
{
    private const int ManifestsInMessage = 500;

    /// <summary>
    /// Takes images, base first, and notes who stands on whom. Where one cannot be had, all are given back, so that no two jobs wait for each other.
    /// </summary>
    /// <param name="wanted">All that the job needs.</param>
    /// <param name="held">What it has noted.</param>
    /// <param name="isAtWork">It is planned already: what it has noted is not given back.</param>
    public async Task<UsesTried> TakeAsync(
        IReadOnlyList<PlannedUse> wanted, IReadOnlyList<JobUse> held, bool isAtWork, IReadOnlyList<(ImageName Base, ImageName Overlay)> chains, string detail)
    {
        var taken = new List<HeldLease>();
        foreach (PlannedUse use in wanted)
        {
            Instant askedAt = clock.Now;
            ImageReply reply = await AskAsync(new TakeUse(use.Image, default, jobId, use.Purpose, settings.LeaseDuration, detail, use.Via)).ConfigureAwait(false);
            if (reply is not UseGranted granted)
            {
                IEnumerable<JobUse> mine = taken.Select(lease => lease.Use);
                await GiveBackAsync([.. isAtWork ? mine.Except(held) : mine.Union(held)]).ConfigureAwait(false);
                return new UsesTried(wanted, [], Refused(reply));
            }

            taken.Add(new HeldLease(new JobUse(use.Image, use.Purpose, granted.Token), HeldLease.UntilOf(askedAt, granted.Remaining)));
        }

        // What the job held by other names or for other purposes before.
        await GiveBackAsync([.. held.Where(use => !taken.Exists(lease => lease.Use == use))]).ConfigureAwait(false);
        foreach ((ImageName below, ImageName overlay) in chains)
        {
            await AskAsync(new AddDependent(below, default, overlay)).ConfigureAwait(false);
        }

        return new UsesTried(wanted, [.. taken], null);
    }

    /// <summary>Renews leases; those that are lost come back as refusals.</summary>
    public async Task<UsesRenewed> RenewAsync(IReadOnlyList<JobUse> uses)
    {
        var held = new List<HeldLease>();
        var lost = new List<Refusal>();
        foreach (JobUse use in uses)
        {
            Instant askedAt = clock.Now;
            try
            {
                switch (await AskAsync(new RenewUse(use.Image, default, use.Token)).ConfigureAwait(false))
                {
                    case UseGranted granted:
                        held.Add(new HeldLease(use, HeldLease.UntilOf(askedAt, granted.Remaining)));
                        break;
                    case ImageRefused refused:
                        lost.Add(refused.Refusal);
                        break;
                }
            }
            catch (AskTimeoutException)
            {
                // The others' renewals count all the same; this one is tried again long before it runs out.
            }
        }

        return new UsesRenewed([.. held], [.. lost]);
    }

    public Task<Refusal?> StartFillAsync(JobUse target, FillLayout layout) => DoAsync(new StartFill(target.Image, default, target.Token, layout));

    /// <summary>Takes manifests of done shards in. Those that are in already stay as they are.</summary>
    public async Task<Refusal?> PublishAsync(JobUse target, IEnumerable<IGrouping<long, ShardResult>> byAssignment)
    {
        foreach (IGrouping<long, ShardResult> results in byAssignment)
        {
            foreach (ShardResult[] part in results.Chunk(ManifestsInMessage))
            {
                // A shard that wrote nothing is done too.
                ImmutableList<ShardManifest> manifests = [.. part.Select(result => result.Manifest ?? new ShardManifest(result.Shard, [], [], 0))];
                if (await DoAsync(new PublishShards(target.Image, default, target.Token, results.Key, manifests)).ConfigureAwait(false) is { } refusal)
                {
                    return refusal;
                }
            }
        }

        return null;
    }

    /// <summary>Makes sure that the target's record knows all shards, and closes rooms that are still open: nobody writes there any more.</summary>
    public async Task<Refusal?> CloseFillAsync(JobUse target, IReadOnlyList<CompletedShard> shards) =>
        await PublishAsync(target, shards.ToLookup(shard => shard.Assignment, shard => shard.Result)).ConfigureAwait(false)
            ?? await CloseRoomsAsync(target).ConfigureAwait(false);

    /// <summary>Finishes or gives up what was filled, and gives all images back, behind a job that is over.</summary>
    /// <param name="state">The job.</param>
    /// <param name="uses">What it holds.</param>
    /// <param name="stands">Who stands on whom from now on, and who does not any more.</param>
    public async Task<Refusal?> ReleaseAsync(JobState state, IReadOnlyList<JobUse> uses, IReadOnlyList<(ImageName Base, ImageName Overlay, bool Stands)> stands)
    {
        foreach ((ImageName below, ImageName overlay, bool isSo) in stands)
        {
            await AskAsync(isSo ? new AddDependent(below, default, overlay) : new RemoveDependent(below, default, overlay)).ConfigureAwait(false);
        }

        JobEnd end = state.End!;
        foreach (JobUse use in uses)
        {
            if (UseRule.IsSharded(use.Purpose))
            {
                await (end.Outcome == JobOutcome.Succeeded ? FinishAsync(use, state.Digest) : GiveUpAsync(use)).ConfigureAwait(false);
            }

            Refusal? refusal = await DoAsync(UseRule.IsWholeImageChange(use.Purpose)
                ? new EndChange(use.Image, default, use.Token, end.Outcome == JobOutcome.Succeeded, end.Reason)
                : new EndUse(use.Image, default, use.Token)).ConfigureAwait(false);
            // A lease that is lost has nothing to give back; one that writers may still use is given back later.
            if (refusal is { Kind: RefusalKind.NotQuiet })
            {
                return refusal;
            }
        }

        return null;
    }

    private async Task<Refusal?> CloseRoomsAsync(JobUse target)
    {
        var description = (ImageDescription)await AskAsync(new DescribeImage(target.Image)).ConfigureAwait(false);
        foreach (long assignment in description.OpenRooms)
        {
            var close = new CloseRoom(target.Image, default, target.Token, assignment, ImmutableSortedDictionary<int, long>.Empty);
            if (await DoAsync(close).ConfigureAwait(false) is { } refusal)
            {
                return refusal;
            }
        }

        return null;
    }

    private Task<Refusal?> FinishAsync(JobUse target, string digest) => DoAsync(new FinishTarget(target.Image, default, target.Token, digest));

    private async Task<Refusal?> GiveUpAsync(JobUse target)
    {
        await CloseRoomsAsync(target).ConfigureAwait(false);
        return await DoAsync(new AbandonFill(target.Image, default, target.Token)).ConfigureAwait(false);
    }

    private async Task GiveBackAsync(IReadOnlyList<JobUse> uses)
    {
        foreach (JobUse use in uses)
        {
            await AskAsync(new EndUse(use.Image, default, use.Token)).ConfigureAwait(false);
        }
    }

    private async Task<Refusal?> DoAsync(ImageCommand command)
    {
        ImageReply reply = await AskAsync(command).ConfigureAwait(false);
        return reply is ImageDone ? null : Refused(reply);
    }

    private Task<ImageReply> AskAsync(object message) => keepers.Images().Ask<ImageReply>(message, settings.AskTimeout);

    private static Refusal Refused(ImageReply reply) => reply is ImageRefused refused
        ? refused.Refusal
        : new Refusal(RefusalKind.Invalid, $"{reply.Image} answered by {reply.GetType().Name}");
}

/// <summary>Images were asked for.</summary>
/// <param name="Wanted">All of them.</param>
/// <param name="Taken">All of them, or none.</param>
/// <param name="Refusal">Why one could not be had; null where all were.</param>
internal sealed record UsesTried(IReadOnlyList<PlannedUse> Wanted, ImmutableList<HeldLease> Taken, Refusal? Refusal);

/// <param name="Held">Those that were renewed.</param>
/// <param name="Lost">Why others are gone.</param>
internal sealed record UsesRenewed(ImmutableList<HeldLease> Held, ImmutableList<Refusal> Lost);
