namespace ImageCluster.Jobs.Plans;

/// <summary>A source and the path that the manifest's pattern gives its target.</summary>
/// <param name="Source">The source.</param>
/// <param name="Target">The target's name; null where <paramref name="Problem"/> says why there is none.</param>
/// <param name="Problem">One line, or null.</param>
public sealed record TargetAssignment(SourceFacts Source, ImageName? Target, string? Problem);
