using System.Collections.Immutable;
using ImageCluster.Imaging.Formats.Filling;

namespace ImageCluster.Jobs.Images;

/// <summary>A command to the record of one image.</summary>
/// <param name="Image">The image; the first command gives the record its name.</param>
/// <param name="At">Now, as whoever keeps the record has it: a clock that does not run backwards within one process.</param>
public abstract record ImageCommand(ImageName Image, Instant At);

/// <summary>
/// Takes the image for a purpose. The same holder asking again for the same purpose keeps its lease and token.
/// </summary>
/// <param name="Via">
/// Overlays that the holder knows to stand on the image and answers for: the chain of a commit. They are no reason to refuse; all others are, also where
/// the image itself is only read, because what lies below it changes.
/// </param>
public sealed record TakeUse(ImageName Image, Instant At, string Holder, UsePurpose Purpose, TimeSpan Duration,
    string Detail, ImmutableList<ImageName> Via) : ImageCommand(Image, At);

/// <summary>Moves the deadline to a full duration from now. Stored only where less than half is left, so a renewal is cheap.</summary>
public sealed record RenewUse(ImageName Image, Instant At, long Token) : ImageCommand(Image, At);

/// <summary>Gives a lease back. A fill's is refused while attempts may still write.</summary>
public sealed record EndUse(ImageName Image, Instant At, long Token) : ImageCommand(Image, At);

/// <summary>Ends the leases whose deadline has passed.</summary>
public sealed record ExpireUses(ImageName Image, Instant At) : ImageCommand(Image, At);

/// <summary>
/// An operator takes a lease away: it is not renewed any more and ends at its deadline, because its holder may be at work until then.
/// </summary>
public sealed record RevokeUse(ImageName Image, Instant At, long Token, string By, string Reason) : ImageCommand(Image, At);

/// <summary>
/// The record's keeper was restarted, perhaps on a machine with another clock: every deadline becomes a full duration from now. (A
/// lease was last granted or renewed before now, so none of its holders counts on more.)
/// </summary>
public sealed record RestartUses(ImageName Image, Instant At) : ImageCommand(Image, At);

public sealed record AddDependent(ImageName Image, Instant At, ImageName Overlay) : ImageCommand(Image, At);

public sealed record RemoveDependent(ImageName Image, Instant At, ImageName Overlay) : ImageCommand(Image, At)
{
    /// <summary>Who says so and why, where it is not the job that took the overlay off; empty otherwise.</summary>
    public string Reason { get; init; } = "";
}

/// <summary>Starts to fill the image, or goes on with it where the same holder had begun with the same layout.</summary>
public sealed record StartFill(ImageName Image, Instant At, long Token, FillLayout Layout) : ImageCommand(Image, At);

/// <summary>Asks for room for an assignment's shards. The same request gets the same room.</summary>
/// <param name="Assignment">The assignment, a fencing token of the job.</param>
/// <param name="Request">A number of the asker's for this request, 0 or more.</param>
/// <param name="Wanted">Bytes, 1 or more.</param>
/// <param name="AtLeast">Room that came back is handed out again where it has so many bytes; 1 to <paramref name="Wanted"/>.</param>
public sealed record GrantRoom(ImageName Image, Instant At, long Token, long Assignment, int Request, long Wanted, long AtLeast)
    : ImageCommand(Image, At);

/// <summary>Takes in the manifests of shards that an assignment has finished. A shard that is published already stays as it is.</summary>
public sealed record PublishShards(ImageName Image, Instant At, long Token, long Assignment, ImmutableList<ShardManifest> Manifests)
    : ImageCommand(Image, At);

/// <summary>
/// Ends an assignment's room: what published shards do not occupy can be handed out again. To be sent after the last of its shards is
/// published, and when its worker has stopped or has been lost for so long that nothing of it writes any more.
/// </summary>
/// <param name="CleanFrom">
/// For requests by number: the host offset from which nothing of the room was written, as the worker said when it ended by itself. What is
/// not named counts as written to.
/// </param>
public sealed record CloseRoom(ImageName Image, Instant At, long Token, long Assignment, ImmutableSortedDictionary<int, long> CleanFrom)
    : ImageCommand(Image, At);

/// <summary>Says that the target's file is whole. Every shard must be published and every room closed.</summary>
public sealed record FinishTarget(ImageName Image, Instant At, long Token, string Digest) : ImageCommand(Image, At);

/// <summary>Gives the filling up: nothing of it counts any more. Refused while attempts may still write.</summary>
public sealed record AbandonFill(ImageName Image, Instant At, long Token) : ImageCommand(Image, At);

/// <summary>Says how a whole-image change ended, and gives its lease back.</summary>
public sealed record EndChange(ImageName Image, Instant At, long Token, bool Succeeded, string Message) : ImageCommand(Image, At);
