namespace ImageCluster.Jobs.Execution;

/// <summary>An image of a chain as it was found.</summary>
/// <param name="Name">The name of its file with all links resolved: equal for two names of one file.</param>
/// <param name="Format">As qemu-img says it.</param>
/// <param name="VirtualSize">Of its guest's disk, bytes.</param>
public sealed record ProbedImage(ImageName Name, string Format, long VirtualSize);
