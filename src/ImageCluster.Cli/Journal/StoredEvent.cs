namespace ImageCluster.Cli.Journal;

/// <summary>An event as the journal keeps it.</summary>
/// <param name="Stream">Which record it belongs to.</param>
/// <param name="Manifest">The event's type and version, as the codec names it.</param>
/// <param name="Payload">The event's bytes.</param>
internal sealed record StoredEvent(string Stream, string Manifest, byte[] Payload);
