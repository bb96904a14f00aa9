using Akka.Actor;
using ImageCluster.Cluster.Hosting;
using ImageCluster.Cluster.Messages;
using ImageCluster.Jobs.Execution;

namespace ImageCluster.Cluster.Jobs;

/// <summary>Tells the directory, and the migration that a job belongs to, where the job stands: the end until they have answered.</summary>
internal sealed class JobVoice(RecordKeepers keepers)
{
    private bool _directoryKnows;
    private bool _migrationKnows;

    /// <summary>Something changed since it was said.</summary>
    public bool HasNews { get; set; }

    /// <summary>The end is said to everybody.</summary>
    public bool IsDone(JobState state) => state.IsClosed && _directoryKnows && (_migrationKnows || state.Settings.Migration.Length == 0);

    /// <summary>Somebody may have missed it.</summary>
    public void Forget() => (_directoryKnows, _migrationKnows, HasNews) = (false, false, true);

    public void Heard(EntryNoted noted, JobState state) => _directoryKnows |= noted.HasEnded && state.IsClosed;

    /// <summary>The migration answers an end, and nothing else.</summary>
    public void Heard(JobState state) => _migrationKnows |= state.IsClosed;

    public void Say(JobState state, string status)
    {
        HasNews = false;
        JobSummary summary = JobSummaries.Of(state, status);
        keepers.Directory().Tell(new NoteJob(summary));
        // Behind the end a migration may go on with what needs these images: they must be free.
        if (state.Settings.Migration.Length > 0 && state.HasEnded == state.IsClosed)
        {
            keepers.Migrations().Tell(new ReportJob(state.Settings.Migration, summary));
        }
    }
}
