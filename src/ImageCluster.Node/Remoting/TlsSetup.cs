using Akka.Actor.Setup;

namespace ImageCluster.Node.Remoting;

/// <summary>Brings a node's identity to <see cref="TlsTransport"/>, which Akka makes.</summary>
internal sealed class TlsSetup(NodeIdentity identity) : Setup
{
    public NodeIdentity Identity => identity;
}
