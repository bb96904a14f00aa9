using ImageCluster.Jobs;
using ImageCluster.Jobs.Manifests;
using ImageCluster.Jobs.Plans;

namespace ImageCluster.Cli.Progress;

/// <summary>How far one image is. Written by its workers, read by whoever shows it, at any time.</summary>
internal sealed class ImageProgress(PlannedImage plan)
{
    private long _converted;
    private long _verified;
    private long _started;
    private long _ended;

    public PlannedImage Plan { get; } = plan;

    public ImageName Source => Plan.Source;

    /// <summary>The source as people are shown it: <c>root:path</c>, or the path alone where the root is a directory and has no name.</summary>
    public string Label => new RootReference(Source.Root).IsName ? Source.ToString() : Source.Path;

    public ImageStage Stage { get; private set; } = ImageStage.Waiting;

    /// <summary>Why it was skipped or failed, in one line.</summary>
    public string? Reason { get; private set; }

    /// <summary>Guest bytes that hold data: what converting reads, and verifying once more.</summary>
    public long DataBytes { get; set; } = plan.AllocatedBytes;

    /// <summary>True where the target is read back.</summary>
    public bool Verifies { get; set; }

    /// <summary>Data bytes that an earlier run had done already.</summary>
    public long ResumedBytes { get; set; }

    /// <summary>Data bytes that an earlier run had verified already.</summary>
    public long ResumedVerifiedBytes { get; set; }

    /// <summary>Data bytes read by this run for converting.</summary>
    public long ConvertedBytes => Interlocked.Read(ref _converted);

    public long VerifiedBytes => Interlocked.Read(ref _verified);

    /// <summary>Bytes that the target occupies, and its digest, once it is done.</summary>
    public long TargetBytes { get; set; }

    public string? Digest { get; set; }

    public bool IsRunning => Stage is ImageStage.Converting or ImageStage.Verifying or ImageStage.Publishing;

    public bool HasEnded => Stage is ImageStage.Done or ImageStage.Skipped or ImageStage.Failed or ImageStage.Interrupted;

    /// <summary>All of the work in bytes: data to convert, and again to verify.</summary>
    public long WorkTotal => Verifies ? 2 * DataBytes : DataBytes;

    /// <summary>Bytes of <see cref="WorkTotal"/> that are behind us. What is read beyond the estimate does not count.</summary>
    public long WorkDone => Stage is ImageStage.Done or ImageStage.Skipped
        ? WorkTotal
        : Math.Min(DataBytes, ResumedBytes + ConvertedBytes) + (Verifies ? Math.Min(DataBytes, ResumedVerifiedBytes + VerifiedBytes) : 0);

    /// <summary>The part of the work that is done, 0 to 1.</summary>
    public double Fraction => WorkTotal == 0 ? (HasEnded ? 1 : 0) : (double)WorkDone / WorkTotal;

    public void AddConverted(long bytes) => Interlocked.Add(ref _converted, bytes);

    public void AddVerified(long bytes) => Interlocked.Add(ref _verified, bytes);

    /// <summary>True once this run has worked on it.</summary>
    public bool HasStarted => _started != 0;

    /// <summary>How long it took in this run.</summary>
    public TimeSpan Elapsed(TimeProvider time) =>
        _started == 0 ? TimeSpan.Zero : time.GetElapsedTime(_started, _ended == 0 ? time.GetTimestamp() : _ended);

    internal void Enter(ImageStage stage, string? reason, TimeProvider time)
    {
        if (_started == 0 && stage == ImageStage.Converting)
        {
            _started = time.GetTimestamp();
        }

        (Stage, Reason) = (stage, reason);
        if (HasEnded)
        {
            _ended = time.GetTimestamp();
        }
    }
}
