using System.Text.Json.Nodes;
using ImageCluster.Jobs.Plans;

namespace ImageCluster.Cli.Reports;

/// <summary>A plan as JSON (docs/migrate.md describes the fields). Sizes in bytes.</summary>
internal static class PlanDocument
{
    public static JsonObject Make(string migration, MigrationPlan plan) => new()
    {
        ["migration"] = migration,
        ["canStart"] = plan.CanStart,
        ["images"] = new JsonArray([.. plan.Images.Select(Image)]),
        ["totals"] = new JsonObject
        {
            ["convert"] = plan.ToConvert.Count(),
            ["virtualSize"] = plan.TotalVirtualSize,
            ["dataBytes"] = plan.TotalAllocatedBytes,
            ["estimatedBytes"] = plan.TotalEstimatedBytes,
            ["freeBytes"] = plan.FreeBytes,
        },
        ["refusals"] = new JsonArray([.. plan.Refusals.Select(refusal => (JsonNode)new JsonObject
        {
            ["kind"] = refusal.Kind.ToString(),
            ["message"] = refusal.Message,
            ["hint"] = refusal.Hint,
        })]),
    };

    private static JsonNode Image(PlannedImage image)
    {
        var document = new JsonObject
        {
            ["source"] = image.Source.ToString(),
            ["target"] = image.Target?.ToString(),
            ["action"] = image.Action.ToString().ToLowerInvariant(),
            ["format"] = image.SourceFormat.Length > 0 ? image.SourceFormat : null,
            ["chain"] = new JsonArray([.. image.Chain.Select(layer => (JsonNode)new JsonObject { ["file"] = layer.Name, ["format"] = layer.Format })]),
            ["virtualSize"] = image.VirtualSize,
            ["dataBytes"] = image.AllocatedBytes,
            ["estimatedBytes"] = image.EstimatedBytes,
        };
        if (image.Reason is not null)
        {
            document["reason"] = image.Reason;
        }

        if (image.BackingTarget is not null)
        {
            document["backingTarget"] = image.BackingTarget.ToString();
        }

        if (image.Replaces)
        {
            document["replaces"] = true;
        }

        return document;
    }
}
