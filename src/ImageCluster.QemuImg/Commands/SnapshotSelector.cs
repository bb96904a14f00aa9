using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.QemuImg.CommandLine;

namespace ImageCluster.QemuImg.Commands;

/// <summary>Which snapshot <c>-l</c> means: one word that is an id or a name, or <c>snapshot.id=ID,snapshot.name=NAME</c>.</summary>
/// <param name="IdOrName">The one word, or null.</param>
/// <param name="Id">Only a snapshot of this id; null for any.</param>
/// <param name="Name">Only a snapshot of this name; null for any.</param>
internal sealed record SnapshotSelector(string? IdOrName, string? Id, string? Name)
{
    /// <summary>The first snapshot that fits: by one word, an id goes before a name.</summary>
    public ImageSnapshot? Find(IReadOnlyList<ImageSnapshot> snapshots)
    {
        if (IdOrName is not null)
        {
            return snapshots.FirstOrDefault(s => s.Id == IdOrName) ?? snapshots.FirstOrDefault(s => s.Name == IdOrName);
        }

        bool any = Id is not null || Name is not null;
        return any ? snapshots.FirstOrDefault(s => (Id is null || s.Id == Id) && (Name is null || s.Name == Name)) : null;
    }

    public static SnapshotSelector Parse(string text)
    {
        if (!text.StartsWith("snapshot.", StringComparison.Ordinal))
        {
            return new SnapshotSelector(text, null, null);
        }

        string? id = null;
        string? name = null;
        foreach (KeyValueText.Item item in KeyValueText.Split(text))
        {
            switch (item.AsSwitch)
            {
                case { Name: "snapshot.id", Value: var value }: id = value; break;
                case { Name: "snapshot.name", Value: var value }: name = value; break;
                default: throw new CommandException($"Invalid parameter '{item.Name}'\nFailed in parsing snapshot param '{text}'");
            }
        }

        return new SnapshotSelector(null, id, name);
    }
}
