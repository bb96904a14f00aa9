using ImageCluster.Imaging.Formats;

namespace ImageCluster.Imaging.Encryption.Luks;

/// <summary>The options of <c>amend</c> that change key slots.</summary>
internal static class KeySlotOptions
{
    /// <summary>Sorted by name, each name behind <paramref name="prefix"/>.</summary>
    public static IReadOnlyList<CreateOption> WithPrefix(string prefix) =>
    [
        new(prefix + "iter-time", CreateOptionType.Number, "Time to spend in PBKDF in milliseconds"),
        new(prefix + "keyslot", CreateOptionType.Number, "Select a single keyslot to modify explicitly"),
        new(prefix + "new-secret", CreateOptionType.Text, "New secret to set in the matching keyslots. Empty string to erase"),
        new(prefix + "old-secret", CreateOptionType.Text, "Select all keyslots that match this password"),
        new(prefix + "state", CreateOptionType.Text, "Select new state of affected keyslots (active/inactive)"),
    ];
}
