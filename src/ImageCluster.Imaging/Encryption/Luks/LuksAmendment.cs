using System.Globalization;
using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.Imaging.Encryption.Luks;

/// <summary>Changes the key slots of a volume as <c>amend</c> asks: adds a password, or erases passwords. Complaints are QEMU's.</summary>
/// <param name="volume">The volume, unlocked.</param>
/// <param name="request">What to do.</param>
/// <param name="prefix">What stands before each option's name: <c>encrypt.</c> or nothing.</param>
/// <param name="file">For messages.</param>
internal sealed class LuksAmendment(LuksVolume volume, AmendRequest request, string prefix, string? file)
{
    public void Apply()
    {
        string state = Text("state") ?? throw Invalid("Parameter 'state' is missing");
        switch (state)
        {
            case "active":
                AddKey();
                break;
            case "inactive":
                EraseKeys();
                break;
            default:
                throw Invalid($"Parameter 'state' does not accept value '{state}'");
        }
    }

    private void AddKey()
    {
        if (Text("new-secret") is null)
        {
            throw Invalid("'new-secret' is required to activate a keyslot");
        }

        if (Text("old-secret") is not null)
        {
            throw Invalid("'old-secret' must not be given when activating keyslots");
        }

        int slot = Slot() ?? FreeSlot();
        if (slot is < 0 or >= LuksHeader.SlotCount)
        {
            throw Invalid($"Invalid keyslot {(uint)slot} specified, must be between 0 and {LuksHeader.SlotCount - 1}");
        }

        if (!request.Force && volume.Header.Slots[slot].IsActive)
        {
            throw Invalid($"Refusing to overwrite active keyslot {slot} - please erase it first");
        }

        volume.SetKey(slot, Secret("new-secret"), LuksSettings.ReadMilliseconds(Text("iter-time"), file));
    }

    private void EraseKeys()
    {
        if (Text("new-secret") is not null)
        {
            throw Invalid("'new-secret' must not be given when erasing keyslots");
        }

        if (Text("iter-time") is not null)
        {
            throw Invalid("'iter-time' must not be given when erasing keyslots");
        }

        byte[]? password = Text("old-secret") is null ? null : Secret("old-secret");
        if (Slot() is { } slot)
        {
            EraseSlot(slot, password);
        }
        else if (password is not null)
        {
            EraseMatching(password);
        }
        else
        {
            throw Invalid("To erase keyslot(s), either explicit keyslot index or the password currently contained in them must be given");
        }
    }

    private void EraseSlot(int slot, byte[]? password)
    {
        if (slot is < 0 or >= LuksHeader.SlotCount)
        {
            throw Invalid($"Invalid keyslot {slot} specified, must be between 0 and {LuksHeader.SlotCount - 1}");
        }

        if (password is not null && !volume.Knows(slot, password))
        {
            throw Invalid($"Given keyslot {slot} doesn't contain the given old password for erase operation");
        }

        if (!request.Force && !volume.Header.Slots[slot].IsActive)
        {
            throw Invalid($"Given keyslot {slot} is already erased (inactive) ");
        }

        if (!request.Force && volume.Header.ActiveSlots == 1)
        {
            throw Invalid($"Attempt to erase the only active keyslot {slot} which will erase all the data in the image irreversibly - refusing operation");
        }

        volume.EraseKey(slot);
    }

    private void EraseMatching(byte[] password)
    {
        int[] matching = [.. Enumerable.Range(0, LuksHeader.SlotCount).Where(slot => volume.Knows(slot, password))];
        if (matching.Length == 0)
        {
            throw Invalid("No keyslots match given (old) password for erase operation");
        }

        if (!request.Force && matching.Length == volume.Header.ActiveSlots)
        {
            throw Invalid("All the active keyslots match the (old) password that was given and erasing them will erase all the data in the image irreversibly - refusing operation");
        }

        foreach (int slot in matching)
        {
            volume.EraseKey(slot);
        }
    }

    private int FreeSlot()
    {
        for (int slot = 0; slot < LuksHeader.SlotCount; slot++)
        {
            if (!volume.Header.Slots[slot].IsActive)
            {
                return slot;
            }
        }

        throw Invalid("Can't add a keyslot - all keyslots are in use");
    }

    // A negative number comes as its two's complement.
    private int? Slot()
    {
        string? text = Text("keyslot");
        if (text is null)
        {
            return null;
        }

        if (ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number))
        {
            return unchecked((int)number);
        }

        return int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int negative)
            ? negative
            : throw Invalid("Parameter 'keyslot' expects a number");
    }

    private string? Text(string name) => request.Options.GetValueOrDefault(prefix + name);

    private byte[] Secret(string name) => request.Secret(prefix + name)
        ?? throw new ImageException(ImageErrorKind.Secret, file, $"No secret with id '{Text(name)}'");

    private ImageException Invalid(string message) => new(ImageErrorKind.InvalidArgument, file, message);
}
