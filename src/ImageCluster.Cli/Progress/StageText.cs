using ImageCluster.Cli.Wording;

namespace ImageCluster.Cli.Progress;

/// <summary>What is said when an image has ended, in the same words on every display.</summary>
internal static class StageText
{
    /// <summary>The facts behind an image's name: sizes and time, or the reason.</summary>
    public static string Outcome(ImageProgress image, TimeProvider time) => image.Stage switch
    {
        ImageStage.Done => $"{Quantity.Bytes(image.DataBytes)} in {Quantity.Duration(image.Elapsed(time))}" +
            $"{(image.ResumedBytes > 0 ? $" ({Quantity.Bytes(image.ResumedBytes)} of it earlier)" : "")}, target {Quantity.Bytes(image.TargetBytes)}" +
            $"{(image.Verifies ? ", verified" : "")}",
        ImageStage.Skipped or ImageStage.Failed => image.Reason ?? "",
        ImageStage.Interrupted => image.HasStarted ? "the next run goes on from here" : "not begun",
        _ => "",
    };

    public static string Word(ImageStage stage) => stage switch
    {
        ImageStage.Waiting => "waiting",
        ImageStage.Converting => "converting",
        ImageStage.Verifying => "verifying",
        ImageStage.Publishing => "finishing",
        ImageStage.Done => "done",
        ImageStage.Skipped => "skipped",
        ImageStage.Failed => "failed",
        _ => "stopped",
    };
}
