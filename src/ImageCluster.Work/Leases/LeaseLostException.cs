namespace ImageCluster.Work.Leases;

/// <summary>The task's lease has run out: somebody else may have it by now, and nothing more is written.</summary>
public sealed class LeaseLostException() : Exception("The lease on the task has run out.");
