using ImageCluster.Api;
using ImageCluster.Api.Documents;
using ImageCluster.Cli.Progress;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Plans;

namespace ImageCluster.Cli.Remote;

/// <summary>
/// Follows a migration on a cluster and shows it on a board, as if it ran here. A cluster that does not answer for a while is asked again.
/// </summary>
/// <param name="cluster">Where it runs.</param>
/// <param name="id">The migration.</param>
/// <param name="board">What displays show.</param>
/// <param name="interval">Between two looks.</param>
internal sealed class RemoteProgress(IClusterOperations cluster, string id, ProgressBoard board, TimeSpan interval)
{
    /// <summary>Of a larger migration only the totals are followed: nobody reads a million lines.</summary>
    private const int MaxImages = 20_000;

    private readonly List<ImageProgress> _images = [];
    private ImageCounts? _counts;
    private bool? _verifies;
    private bool _isAway;

    /// <summary>Until it is over; the migration then.</summary>
    public async Task<MigrationDocument> FollowAsync(CancellationToken stop)
    {
        // A wrong id is an error, not something to wait for.
        MigrationDocument? migration = await cluster.GetMigrationAsync(id, stop);
        while (true)
        {
            if (migration is not null)
            {
                await ShowAsync(migration, stop);
                if (migration.IsOver)
                {
                    return migration;
                }
            }

            await Task.Delay(interval, stop);
            migration = await LookAsync(stop);
        }
    }

    private async Task<MigrationDocument?> LookAsync(CancellationToken stop)
    {
        try
        {
            MigrationDocument migration = await cluster.GetMigrationAsync(id, stop);
            _isAway = false;
            return migration;
        }
        catch (OperationRefusedException e) when (e.Reason == RefusalReason.Unavailable)
        {
            if (!_isAway)
            {
                board.Note($"{e.Message}; asking again");
            }

            _isAway = true;
            return null;
        }
    }

    private async Task ShowAsync(MigrationDocument migration, CancellationToken stop)
    {
        if (migration.Images != _counts && migration.Images.Total <= MaxImages)
        {
            try
            {
                await ReadImagesAsync(stop);
                _counts = migration.Images;
            }
            catch (OperationRefusedException e) when (e.Reason == RefusalReason.Unavailable)
            {
                return;
            }
        }

        foreach (MigrationImageDocument image in migration.Running.Where(image => image.Index < _images.Count))
        {
            Show(_images[image.Index], image);
        }
    }

    private async Task ReadImagesAsync(CancellationToken stop)
    {
        int offset = 0;
        MigrationImageList list;
        do
        {
            list = await cluster.ListMigrationImagesAsync(id, new ListQuery { Offset = offset, Limit = ListQuery.MaxLimit }, stop);
            foreach (MigrationImageDocument image in list.Items)
            {
                _verifies ??= image.Job is { } job ? await VerifiesAsync(job, stop) : null;
                if (image.Index == _images.Count)
                {
                    _images.Add(new ImageProgress(Planned(image)));
                    board.Show(_images);
                }

                _images[image.Index].Verifies = _verifies ?? false;
                Show(_images[image.Index], image);
            }

            offset += list.Items.Count;
        }
        while (list.Items.Count > 0 && offset < list.Total);
    }

    // What one job says holds for all of a migration; null where it cannot be told now.
    private async Task<bool?> VerifiesAsync(string job, CancellationToken stop)
    {
        try
        {
            return (await cluster.GetJobAsync(job, stop)).Spec is ConvertSpecDocument { Verify: not "none" };
        }
        catch (OperationRefusedException)
        {
            return null;
        }
    }

    private void Show(ImageProgress progress, MigrationImageDocument image)
    {
        switch (image.State)
        {
            case "running":
                Move(progress, image);
                break;
            case "succeeded":
                progress.TargetBytes = image.BytesWritten;
                progress.Digest = image.Digest;
                board.Enter(progress, ImageStage.Done);
                break;
            case "skipped":
                board.Enter(progress, ImageStage.Skipped, image.Reason);
                break;
            case "failed" or "refused" or "cancelled":
                board.Enter(progress, ImageStage.Failed, image.Reason ?? image.State);
                break;
            default:
                board.Enter(progress, ImageStage.Waiting);
                break;
        }
    }

    // Shards stand for bytes: nobody reports single bytes through the cluster.
    private void Move(ImageProgress progress, MigrationImageDocument image)
    {
        long done = image.Shards > 0 ? (long)((Int128)image.DataBytes * Math.Min(image.ShardsDone, image.Shards) / image.Shards) : 0;
        switch (image.Stage)
        {
            case "verify":
                progress.AddConverted(Math.Max(0, image.DataBytes - progress.ConvertedBytes));
                progress.AddVerified(Math.Max(0, done - progress.VerifiedBytes));
                board.Enter(progress, ImageStage.Verifying);
                break;
            case "finish" or "install":
                progress.AddConverted(Math.Max(0, image.DataBytes - progress.ConvertedBytes));
                board.Enter(progress, ImageStage.Publishing);
                break;
            case "copy":
                progress.AddConverted(Math.Max(0, done - progress.ConvertedBytes));
                board.Enter(progress, ImageStage.Converting);
                break;
            default:
                board.Enter(progress, ImageStage.Converting);
                break;
        }
    }

    private static PlannedImage Planned(MigrationImageDocument image) => new()
    {
        Source = Name(image.Source),
        Target = image.Target is { } target ? Name(target) : null,
        Action = image.State switch { "skipped" => PlanAction.Skip, "refused" => PlanAction.Refuse, _ => PlanAction.Convert },
        Reason = image.Reason,
        SourceFormat = image.SourceFormat ?? "",
        VirtualSize = image.VirtualSize,
        AllocatedBytes = image.DataBytes,
    };

    private static ImageName Name(string text) =>
        ImageName.TryParse(text, out ImageName? name) ? name! : throw new OperationRefusedException(RefusalReason.Unavailable, $"the cluster names an image '{text}'");
}
