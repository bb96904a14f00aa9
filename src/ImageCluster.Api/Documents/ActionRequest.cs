namespace ImageCluster.Api.Documents;

/// <summary>Goes with a pause, resume, cancel or retry.</summary>
/// <param name="By">Who asks for it; for people.</param>
public sealed record ActionRequest(string? By = null);
