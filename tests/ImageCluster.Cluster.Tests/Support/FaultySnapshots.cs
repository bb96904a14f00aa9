using Akka.Actor;
using Akka.Persistence;
using Akka.Persistence.Snapshot;
using Akka.Serialization;
using ImageCluster.Jobs.Images;

namespace ImageCluster.Cluster.Tests.Support;

/// <summary>A store of snapshots that keeps them in memory as bytes, and fails together with the <see cref="FaultyJournal"/> of its system.</summary>
public sealed class FaultySnapshots : SnapshotStore
{
    public const string PluginId = "test.snapshots";

    public const string Config = $$"""
        akka.persistence.snapshot-store.plugin = "{{PluginId}}"
        {{PluginId}} {
          class = "ImageCluster.Cluster.Tests.Support.FaultySnapshots, ImageCluster.Cluster.Tests"
          plugin-dispatcher = "akka.actor.default-dispatcher"
          circuit-breaker { max-failures = 1000000, call-timeout = 20s, reset-timeout = 1s }
        }
        """;

    private readonly List<(SnapshotMetadata Metadata, string Manifest, byte[] Bytes)> _stored = [];
    private FaultyJournal.Mode _mode;

    protected override bool ReceivePluginInternal(object message)
    {
        switch (message)
        {
            case FaultyJournal.Switch to:
                _mode = to.Mode;
                Sender.Tell(to);
                return true;
            case FaultyJournal.Count count:
                Sender.Tell(count with { Snapshots = _stored.Count(stored => stored.Metadata.PersistenceId == count.PersistenceId) });
                return true;
            default:
                return false;
        }
    }

    protected override Task<SelectedSnapshot> LoadAsync(string persistenceId, SnapshotSelectionCriteria criteria)
    {
        FailIfTold();
        (SnapshotMetadata Metadata, string Manifest, byte[] Bytes) newest = _stored
            .Where(stored => stored.Metadata.PersistenceId == persistenceId && stored.Metadata.SequenceNr <= criteria.MaxSequenceNr)
            .OrderByDescending(stored => stored.Metadata.SequenceNr)
            .FirstOrDefault();
        return Task.FromResult(newest.Bytes is null ? null! : new SelectedSnapshot(newest.Metadata, Contracts().FromBinary(newest.Bytes, newest.Manifest)));
    }

    protected override Task SaveAsync(SnapshotMetadata metadata, object snapshot)
    {
        FailIfTold();
        string manifest = Contracts().Manifest(snapshot);
        _stored.Add((metadata, _mode == FaultyJournal.Mode.Newer ? manifest.Replace(".v1", ".v99", StringComparison.Ordinal) : manifest, Contracts().ToBinary(snapshot)));
        return Task.CompletedTask;
    }

    protected override Task DeleteAsync(SnapshotMetadata metadata)
    {
        _stored.RemoveAll(stored => stored.Metadata.PersistenceId == metadata.PersistenceId && stored.Metadata.SequenceNr == metadata.SequenceNr);
        return Task.CompletedTask;
    }

    protected override Task DeleteAsync(string persistenceId, SnapshotSelectionCriteria criteria)
    {
        FailIfTold();
        _stored.RemoveAll(stored => stored.Metadata.PersistenceId == persistenceId && stored.Metadata.SequenceNr <= criteria.MaxSequenceNr);
        return Task.CompletedTask;
    }

    private void FailIfTold()
    {
        if (_mode == FaultyJournal.Mode.Fail)
        {
            throw new IOException("the snapshots are down");
        }
    }

    private SerializerWithStringManifest Contracts() =>
        (SerializerWithStringManifest)Context.System.Serialization.FindSerializerForType(typeof(ImageState));
}
