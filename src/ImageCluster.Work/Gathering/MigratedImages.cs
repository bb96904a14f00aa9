using ImageCluster.Jobs;
using ImageCluster.Jobs.Migrations;
using ImageCluster.Jobs.Plans;

namespace ImageCluster.Work.Gathering;

/// <summary>A plan's images as a migration's record keeps them.</summary>
public static class MigratedImages
{
    /// <summary>In the plan's order, numbered from 0.</summary>
    public static IReadOnlyList<MigratedImage> Of(IEnumerable<PlannedImage> images)
    {
        var indexes = new Dictionary<ImageName, int>();
        var migrated = new List<MigratedImage>();
        foreach (PlannedImage image in images)
        {
            migrated.Add(new MigratedImage
            {
                Index = migrated.Count,
                Source = image.Source,
                SourceFormat = image.SourceFormat,
                SourceSecret = image.SourceSecret,
                Target = image.Target,
                VirtualSize = image.VirtualSize,
                AllocatedBytes = image.AllocatedBytes,
                EstimatedBytes = image.EstimatedBytes,
                Base = image.BackingTarget is null ? -1 : indexes.GetValueOrDefault(image.BackingTarget, -1),
                Progress = image.Action switch
                {
                    PlanAction.Convert => ImageProgress.Waiting,
                    PlanAction.Skip => ImageProgress.Skipped,
                    _ => ImageProgress.Refused,
                },
                Reason = image.Reason ?? "",
            });
            if (image.Target is not null)
            {
                indexes.TryAdd(image.Target, migrated.Count - 1);
            }
        }

        return migrated;
    }
}
