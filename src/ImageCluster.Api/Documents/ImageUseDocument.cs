namespace ImageCluster.Api.Documents;

/// <summary>A use of an image: a lease.</summary>
/// <param name="Token">Fencing token, which names the lease.</param>
/// <param name="Holder">The job, or who ran a single command.</param>
/// <param name="Purpose">read, fill, commit, empty, rebase, create, resize, amend, snapshotCreate, snapshotDelete, snapshotApply, relink or repair.</param>
/// <param name="Exclusive">True where it modifies the image.</param>
/// <param name="SecondsLeft">Until it ends unless it is renewed; null in lists.</param>
/// <param name="Detail">What exactly is done; null where there is nothing to say.</param>
/// <param name="Released">Why an operator took it away; null where nobody did.</param>
public sealed record ImageUseDocument(long Token, string Holder, string Purpose, bool Exclusive, double? SecondsLeft = null, string? Detail = null, string? Released = null);
