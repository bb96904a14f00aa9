namespace ImageCluster.Jobs.Manifests;

/// <summary>One thing that is wrong in a manifest.</summary>
/// <param name="Line">Line in the text, from 1.</param>
/// <param name="Column">Column, from 1.</param>
/// <param name="Message">What is wrong, without the place.</param>
public sealed record ManifestError(int Line, int Column, string Message);
