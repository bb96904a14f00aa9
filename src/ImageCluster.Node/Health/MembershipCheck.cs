using Akka.Actor;
using Akka.Cluster;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace ImageCluster.Node.Health;

/// <summary>The node is a member that is up.</summary>
internal sealed class MembershipCheck(ActorSystem system) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        MemberStatus status = system.WhenTerminated.IsCompleted ? MemberStatus.Removed : Akka.Cluster.Cluster.Get(system).SelfMember.Status;
        return Task.FromResult(status == MemberStatus.Up
            ? HealthCheckResult.Healthy("up")
            : HealthCheckResult.Unhealthy(status.ToString().ToLowerInvariant()));
    }
}
