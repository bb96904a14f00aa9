using System.Collections.Immutable;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Images;

namespace ImageCluster.Cluster.Messages;

/// <summary>Asks an image's actor what it knows; answered by <see cref="ImageDescription"/>.</summary>
public sealed record DescribeImage(ImageName Image);

/// <summary>What an image's actor answers. All that led to it is stored by then.</summary>
public abstract record ImageReply(ImageName Image);

/// <summary>It is as the command asked.</summary>
public sealed record ImageDone(ImageName Image) : ImageReply(Image);

/// <summary>The answer to <see cref="TakeUse"/> and <see cref="RenewUse"/>.</summary>
/// <param name="Token">Fencing token of the lease.</param>
/// <param name="Remaining">
/// How long the lease still holds. Clocks of nodes are not compared: whoever asked counts from when it asked, by its own monotonic clock, and
/// so never believes that it holds the image longer than the actor does.
/// </param>
public sealed record UseGranted(ImageName Image, long Token, TimeSpan Remaining) : ImageReply(Image);

/// <summary>The answer to <see cref="GrantRoom"/>.</summary>
public sealed record RoomGiven(ImageName Image, long Assignment, RoomGrant Room) : ImageReply(Image);

/// <summary>The command was not carried out.</summary>
public sealed record ImageRefused(ImageName Image, Refusal Refusal) : ImageReply(Image);

/// <summary>Who uses an image and how far its filling has come.</summary>
/// <param name="Shards">Of the filling that is under way or was interrupted; 0 where there is none.</param>
/// <param name="Published">How many of them are published.</param>
/// <param name="FinishedBy">The job that filled the image to its end; empty where none is known.</param>
/// <param name="Digest">The guest's digest then; empty where none is known.</param>
public sealed record ImageDescription(ImageName Image, ImmutableList<ImageUser> Users, ImmutableList<ImageName> Dependents, long Shards,
    long Published, string FinishedBy, string Digest) : ImageReply(Image)
{
    /// <summary>Assignments whose room in the target is not closed.</summary>
    public ImmutableList<long> OpenRooms { get; init; } = [];
}

/// <summary>A lease as people and programs ask for it.</summary>
/// <param name="Revoked">Why it will not be renewed; empty where it will be.</param>
public sealed record ImageUser(long Token, string Holder, UsePurpose Purpose, string Detail, TimeSpan Remaining, string Revoked);
