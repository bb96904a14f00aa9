using Akka.Actor;

namespace ImageCluster.Cluster.Serialization;

/// <summary>
/// In the place of something of an unknown kind or version, or damaged: what a newer version of this program has stored or sent. A record that has such an
/// event says so to everybody who asks, instead of not being there; such a message reaches nobody.
/// </summary>
/// <param name="Reason">In one line, by its name.</param>
internal sealed record Unreadable(string Reason) : INoSerializationVerificationNeeded;
