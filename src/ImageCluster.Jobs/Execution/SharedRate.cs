namespace ImageCluster.Jobs.Execution;

/// <summary>A limit of bytes a second that jobs share by its name.</summary>
/// <param name="BytesPerSecond">1 or more.</param>
/// <param name="Root">What is read from and written to this root counts; empty where it is what is read from sources.</param>
public sealed record SharedRate(long BytesPerSecond, string Root = "");
