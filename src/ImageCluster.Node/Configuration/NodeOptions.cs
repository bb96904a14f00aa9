using System.Net;
using ImageCluster.Cluster.Hosting;

namespace ImageCluster.Node.Configuration;

/// <summary>How a node runs: what the settings say, checked. Made by <see cref="NodeOptionsReader"/>.</summary>
public sealed record NodeOptions
{
    public required IReadOnlyList<string> Roles { get; init; }

    public required NodeAddress Cluster { get; init; }

    /// <summary>Other nodes' connections are taken on a loopback address only.</summary>
    public bool IsLocal { get; init; } = true;

    /// <summary>None: a cluster of its own.</summary>
    public IReadOnlyList<DnsEndPoint> Seeds { get; init; } = [];

    public int Partitions { get; init; } = 100;

    /// <summary>Null: nodes speak in the clear.</summary>
    public ClusterTls? ClusterTls { get; init; }

    /// <summary>More than half of the coordinators; null: the majority of those seen last goes on.</summary>
    public int? Quorum { get; init; }

    public TimeSpan StableAfter { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Null where the node is no coordinator: it keeps no records.</summary>
    public required JournalOptions? Journal { get; init; }

    public bool IsCoordinator => Roles.Contains(ImageClusterSettings.CoordinatorRole);

    public bool IsWorker => Roles.Contains(ImageClusterSettings.WorkerRole);

    public required IReadOnlyList<Uri> HttpListen { get; init; }

    /// <summary>Null only where the API is on loopback addresses alone.</summary>
    public string? HttpToken { get; init; }

    public CertificateFile? HttpCertificate { get; init; }

    /// <summary>Absolute directories by the roots' names.</summary>
    public IReadOnlyDictionary<string, string> Roots { get; init; } = new Dictionary<string, string>();

    /// <summary>1 or more.</summary>
    public int Slots { get; init; } = 1;

    /// <summary>An absolute directory with passwords of encrypted images, or null.</summary>
    public string? SecretsDirectory { get; init; }

    public IReadOnlyDictionary<string, int> RootLimits { get; init; } = new Dictionary<string, int>();

    /// <summary>See <see cref="ImageClusterSettings.AssignmentDuration"/>, as for the others of jobs.</summary>
    public TimeSpan AssignmentDuration { get; init; } = new ImageClusterSettings().AssignmentDuration;

    public TimeSpan LeaseDuration { get; init; } = new ImageClusterSettings().LeaseDuration;

    public TimeSpan ImageWait { get; init; } = new ImageClusterSettings().ImageWait;

    public TimeSpan TaskTime { get; init; } = new ImageClusterSettings().TaskTime;

    public TimeSpan? Retention { get; init; } = new ImageClusterSettings().Retention;

    public int ImagesAtATime { get; init; } = new ImageClusterSettings().ImagesAtATime;

    /// <summary>Null: no console.</summary>
    public NodeAddress? Console { get; init; }

    /// <summary>An absolute directory, or null.</summary>
    public string? ManifestDirectory { get; init; }

    public string LogLevel { get; init; } = "information";

    public bool LogAsJson { get; init; }

    public TimeSpan ShutdownTimeout { get; init; } = TimeSpan.FromSeconds(30);

    public string? AddressFile { get; init; }

    // The token is not for logs.
    public override string ToString() => $"{string.Join(" and ", Roles)} at {Cluster.Host}:{Cluster.Port}";
}
