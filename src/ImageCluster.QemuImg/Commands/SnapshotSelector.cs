using ImageCluster.Imaging;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.QemuImg.CommandLine;
using ImageCluster.QemuImg.Images;

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

    /// <summary>The chain as the selected snapshot of its top has it. It lives as long as <paramref name="disk"/>, and is not to be disposed of.</summary>
    public static LayeredDisk Open(LayeredDisk disk, SnapshotSelector selector)
    {
        if (disk.Top is not ISnapshots holder)
        {
            throw new CommandException(
                $"Failed to load snapshot: Block format '{disk.Top.FormatName}' used by device '' does not support temporarily loading internal snapshots");
        }

        ImageSnapshot found = selector.Find(holder.ListSnapshots()) ?? throw new CommandException("Failed to load snapshot: Can't find snapshot");
        try
        {
            return new LayeredDisk([holder.OpenSnapshot(found.Id), .. disk.Layers.Skip(1)]);
        }
        catch (ImageException e)
        {
            throw new CommandException($"Failed to load snapshot: {e.Message}") { Hint = ImageOpener.HintText(e) };
        }
    }

    /// <summary>A snapshot of that id or, where there is none, of that name.</summary>
    public static SnapshotSelector OfWord(string word) => new(word, null, null);

    public static SnapshotSelector Parse(CommandHost host, string text)
    {
        if (!text.StartsWith("snapshot.", StringComparison.Ordinal))
        {
            return OfWord(text);
        }

        string? id = null;
        string? name = null;
        foreach (KeyValueText.Item item in KeyValueText.Split(text))
        {
            switch (item.AsSwitch)
            {
                case { Name: "snapshot.id", Value: var value }: id = value; break;
                case { Name: "snapshot.name", Value: var value }: name = value; break;
                default:
                    host.Error($"Invalid parameter '{item.Name}'");
                    throw new CommandException($"Failed in parsing snapshot param '{text}'");
            }
        }

        return new SnapshotSelector(null, id, name);
    }
}
