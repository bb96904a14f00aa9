using ImageCluster.Imaging.Operations.Comparing;

namespace ImageCluster.Jobs.Execution;

/// <summary>What <see cref="StageKind.Compare"/> found in a shard beside where it was.</summary>
/// <param name="Verdict">What the shard's first difference is.</param>
/// <param name="SizesDiffer">The disks have two sizes, which in a comparison that is not strict is no difference.</param>
public sealed record CompareFindings(CompareVerdict Verdict, bool SizesDiffer);
