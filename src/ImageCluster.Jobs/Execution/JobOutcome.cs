namespace ImageCluster.Jobs.Execution;

/// <summary>How a job ended. The numbers are stored. (A comparison that found a difference succeeded.)</summary>
public enum JobOutcome
{
    Succeeded = 1,
    Failed = 2,
    Cancelled = 3,
}
