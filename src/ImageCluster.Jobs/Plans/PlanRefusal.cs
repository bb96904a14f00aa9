namespace ImageCluster.Jobs.Plans;

/// <summary>A reason for which a migration must not start. Nothing is written while there is one.</summary>
/// <param name="Kind">What sort of reason.</param>
/// <param name="Message">One line that names the images and says what is wrong.</param>
/// <param name="Hint">What to do about it.</param>
public sealed record PlanRefusal(PlanRefusalKind Kind, string Message, string Hint);
