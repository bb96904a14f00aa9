namespace ImageCluster.Imaging.Storage.Archives;

/// <summary>A disk of an appliance that has a file in the archive.</summary>
/// <param name="Number">From 1 on, in the descriptor's order.</param>
/// <param name="Id">The descriptor's name for it (<c>ovf:diskId</c>).</param>
/// <param name="Entry">Its file.</param>
/// <param name="Capacity">Size of the guest's disk in bytes as the descriptor states it; null where it does not, or not in bytes.</param>
/// <param name="Format">The address that names its format (<c>ovf:format</c>); empty where there is none.</param>
/// <param name="Obstacle">Why it cannot be read in place; null where it can.</param>
public sealed record OvaDisk(int Number, string Id, TarEntry Entry, long? Capacity, string Format, string? Obstacle);
