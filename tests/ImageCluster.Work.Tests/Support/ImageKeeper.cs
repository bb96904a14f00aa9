using System.Collections.Immutable;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;

namespace ImageCluster.Work.Tests.Support;

/// <summary>Keeps the record of one image that is filled, as its actor would, without storing anything.</summary>
internal sealed class ImageKeeper
{
    private readonly Lock _lock = new();
    private readonly ImageName _image;
    private readonly long _token;
    private long _now = 1_000_000;

    public ImageKeeper(ImageName image, string holder, UsePurpose purpose, FillLayout layout)
    {
        _image = image;
        Do(at => new TakeUse(image, at, holder, purpose, TimeSpan.FromHours(10), "", []));
        _token = State.Leases.Keys.Single();
        Do(at => new StartFill(image, at, _token, layout));
    }

    public ImageState State { get; private set; } = ImageState.New;

    /// <summary>Grants room to an assignment.</summary>
    public Func<int, long, long, RoomGrant> RoomOf(long assignment) => (request, wanted, atLeast) =>
    {
        lock (_lock)
        {
            Do(at => new GrantRoom(_image, at, _token, assignment, request, wanted, atLeast));
            return ImageRecord.FindRoom(State, assignment, request)!;
        }
    };

    public void Publish(long assignment, IEnumerable<ShardResult> results) => Do(at => new PublishShards(_image, at, _token, assignment,
        [.. results.Select(result => result.Manifest ?? new ShardManifest(result.Shard, [], [], 0))]));

    /// <param name="assignment">The assignment.</param>
    /// <param name="cleanFrom">What its worker said of its room; null where it was lost, so that all counts as written to.</param>
    public void Close(long assignment, ImmutableSortedDictionary<int, long>? cleanFrom)
    {
        lock (_lock)
        {
            // Who is late finds all closed and the target finished.
            if (State.Fill is not null)
            {
                Do(at => new CloseRoom(_image, at, _token, assignment, cleanFrom ?? ImmutableSortedDictionary<int, long>.Empty));
            }
        }
    }

    public void Finish(string digest)
    {
        lock (_lock)
        {
            foreach (long assignment in State.Fill?.Open.Keys ?? [])
            {
                Close(assignment, ImmutableSortedDictionary<int, long>.Empty);
            }

            Do(at => new FinishTarget(_image, at, _token, digest));
        }
    }

    private void Do(Func<Instant, ImageCommand> command)
    {
        lock (_lock)
        {
            Decision<ImageEvent> decision = ImageRecord.Decide(State, command(new Instant(_now += 10)));
            Assert.True(decision.Refusal is null, decision.Refusal?.Message);
            State = decision.Events.Aggregate(State, ImageRecord.Apply);
        }
    }
}
