using System.Text.Json;
using ImageCluster.Api;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace ImageCluster.Node.Health;

/// <summary>
/// <c>/health/live</c>: the process answers; nothing else is looked at, so that no database trouble has nodes killed. <c>/health/ready</c>: it is a
/// member of the cluster and, where it keeps records, its journal answers.
/// </summary>
internal static class HealthEndpoints
{
    public const string Ready = "ready";

    public static void MapHealth(this IEndpointRouteBuilder routes)
    {
        routes.MapHealthChecks(ApiPaths.Live, new HealthCheckOptions { Predicate = _ => false, ResponseWriter = Write });
        routes.MapHealthChecks(ApiPaths.Ready, new HealthCheckOptions { Predicate = check => check.Tags.Contains(Ready), ResponseWriter = Write });
    }

    private static async Task Write(HttpContext http, HealthReport report)
    {
        http.Response.ContentType = "application/json";
        await using var json = new Utf8JsonWriter(http.Response.Body);
        json.WriteStartObject();
        json.WriteString("status", report.Status.ToString().ToLowerInvariant());
        foreach ((string name, HealthReportEntry entry) in report.Entries)
        {
            json.WriteString(name, entry.Description ?? entry.Status.ToString().ToLowerInvariant());
        }

        json.WriteEndObject();
    }
}
