using ImageCluster.Cluster.Messages;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Migrations;

namespace ImageCluster.Cluster.Migrations;

/// <summary>
/// The parts of a plan as a worker tells them, kept until the last is there: a plan that two workers began is never put together from both. A restart
/// of the migration's actor loses them, and the worker's job has it done again.
/// </summary>
internal sealed class GatheredPlanParts
{
    private const int ImagesInEvent = 500;

    private readonly List<MigratedImage> _images = [];
    private long _assignment;

    /// <summary>Takes a part in. The same part twice is the same as once.</summary>
    public Refusal? Add(GatheredImages part)
    {
        if (part.From == 0 && part.Assignment != _assignment)
        {
            _images.Clear();
            _assignment = part.Assignment;
        }

        if (part.Assignment != _assignment || part.From > _images.Count)
        {
            return new Refusal(RefusalKind.Stale, $"migration {part.MigrationId} does not know the {part.From} images before these; they are gathered again");
        }

        _images.AddRange(part.Images.Skip(_images.Count - part.From));
        return null;
    }

    /// <summary>The whole plan's events, to be stored at once.</summary>
    public Decision<MigrationEvent> Complete(MigrationState state, Instant at)
    {
        var events = new List<MigrationEvent>();
        foreach (MigratedImage[] chunk in _images.Chunk(ImagesInEvent))
        {
            Decision<MigrationEvent> planned = MigrationRecord.Decide(state, new PlanImages(state.Id, at, [.. chunk]));
            if (planned.Refusal is not null)
            {
                return planned;
            }

            events.AddRange(planned.Events);
            state = planned.Events.Aggregate(state, MigrationRecord.Apply);
        }

        events.AddRange(MigrationRecord.Decide(state, new CompletePlan(state.Id, at)).Events);
        return new Decision<MigrationEvent>(events);
    }
}
