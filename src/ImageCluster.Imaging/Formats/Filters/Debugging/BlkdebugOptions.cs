using System.Globalization;
using System.Text;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Filters.Debugging;

/// <summary>Reads what a blkdebug node is told, by its options and in the file that <c>config</c> names; complaints are QEMU's.</summary>
internal static class BlkdebugOptions
{
    private const int SectorSize = 512;
    private const int MaxConfig = 1 << 20;
    private const string Inject = "inject-error";
    private const string SetState = "set-state";

    private static readonly string[] Limits = ["align", "max-transfer", "opt-write-zero", "max-write-zero", "opt-discard", "max-discard"];

    // QAPI's BlkdebugEvent.
    private static readonly string[] Events =
    [
        "l1_update", "l1_grow_alloc_table", "l1_grow_write_table", "l1_grow_activate_table", "l2_load", "l2_update", "l2_update_compressed", "l2_alloc_cow_read",
        "l2_alloc_write", "read_aio", "read_backing_aio", "read_compressed", "write_aio", "write_compressed", "vmstate_load", "vmstate_save", "cow_read", "cow_write",
        "reftable_load", "reftable_grow", "reftable_update", "refblock_load", "refblock_update", "refblock_update_part", "refblock_alloc", "refblock_alloc_hookup",
        "refblock_alloc_write", "refblock_alloc_write_blocks", "refblock_alloc_write_table", "refblock_alloc_switch_table", "cluster_alloc", "cluster_alloc_bytes",
        "cluster_free", "flush_to_os", "flush_to_disk", "pwritev_rmw_head", "pwritev_rmw_after_head", "pwritev_rmw_tail", "pwritev_rmw_after_tail", "pwritev",
        "pwritev_zero", "pwritev_done", "empty_image_prepare", "l1_shrink_write_table", "l1_shrink_free_l2_clusters", "cor_write", "cluster_alloc_space", "none",
    ];

    private static readonly Dictionary<string, BlkdebugAccess> Accesses = new()
    {
        ["read"] = BlkdebugAccess.Read,
        ["write"] = BlkdebugAccess.Write,
        ["write-zeroes"] = BlkdebugAccess.WriteZeroes,
        ["discard"] = BlkdebugAccess.Discard,
        ["flush"] = BlkdebugAccess.Flush,
        ["block-status"] = BlkdebugAccess.BlockStatus,
    };

    /// <summary>The name that says the same as the options; the file's own, where none does.</summary>
    public static string Name(OpenContext context) => context.Options.Keys.All(static name => name == "config")
        ? $"blkdebug:{context.Options.GetValueOrDefault("config")}:{context.File.Name}"
        : context.File.Name;

    /// <exception cref="ImageException">Something is wrong with it.</exception>
    public static BlkdebugRules Read(OpenContext context)
    {
        List<(string Group, Dictionary<string, string> Values)> sections = context.Options.TryGetValue("config", out string? config) ? ReadConfig(context.Locator, config) : [];
        foreach (string group in new[] { Inject, SetState })
        {
            sections.AddRange(Sections(context.Options, group).Select(values => (group, values)));
        }

        foreach (string name in Limits)
        {
            CheckLimit(context.Options, name);
        }

        return new BlkdebugRules([
            .. sections.Where(static section => section.Group == Inject).Select(static section => InjectRule(section.Values)),
            .. sections.Where(static section => section.Group == SetState).Select(static section => StateRule(section.Values)),
        ]);
    }

    private static List<(string Group, Dictionary<string, string> Values)> ReadConfig(IFileLocator locator, string name)
    {
        List<(string Group, Dictionary<string, string> Values)> sections = [];
        foreach (string line in ReadText(locator, name).Split('\n').Select(static line => line.TrimStart()).Where(static line => line.Length > 0 && line[0] != '#'))
        {
            if (line[0] == '[')
            {
                string group = line[1..].Split(']', ' ', '"')[0];
                sections.Add(group is Inject or SetState ? (group, []) : throw Invalid($"There is no option group '{group}'"));
                continue;
            }

            // As sscanf takes it: a blank ends the name, and what is not in quotes is no value.
            string key = line.Split(' ', '\t')[0];
            string rest = line[key.Length..].TrimStart();
            string[] quoted = rest.StartsWith('=') && rest[1..].TrimStart() is ['"', ..] ? rest.Split('"') : [];
            if (sections.Count == 0)
            {
                throw Invalid("no group defined");
            }

            CheckKey(sections[^1].Group, key, static (key, _) => $"Invalid parameter '{key}'");
            sections[^1].Values[key] = quoted.Length > 1 ? quoted[1] : "";
        }

        return sections;
    }

    private static string ReadText(IFileLocator locator, string name)
    {
        try
        {
            using IBlockFile file = locator.Open(name, OpenMode.ReadOnly with { Lock = ImageLock.None });
            byte[] bytes = new byte[Math.Min(file.Length, MaxConfig)];
            return Encoding.UTF8.GetString(bytes, 0, file.Read(0, bytes));
        }
        catch (ImageException e) when (e.Errno != 0)
        {
            throw new ImageException(e.Kind, name, $"Could not read blkdebug config file: {Storage.Native.Errno.Text(e.Errno)}", e) { Errno = e.Errno };
        }
    }

    // Of "GROUP.0.event" and so on, or of "GROUP.event" alone.
    private static Dictionary<string, string>[] Sections(IReadOnlyDictionary<string, string> options, string group)
    {
        SortedDictionary<int, Dictionary<string, string>> sections = [];
        foreach ((string name, string value) in options.Where(option => option.Key.StartsWith(group + ".", StringComparison.Ordinal)))
        {
            string[] parts = name[(group.Length + 1)..].Split('.', 2);
            bool isNumbered = parts.Length == 2 && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= 0;
            int index = isNumbered ? int.Parse(parts[0], CultureInfo.InvariantCulture) : 0;
            string key = isNumbered ? parts[1] : string.Join('.', parts);
            CheckKey(group, key, static (key, group) => $"[{group}] section doesn't support the option '{key}'");
            if (!sections.TryGetValue(index, out Dictionary<string, string>? values))
            {
                sections.Add(index, values = []);
            }

            values[key] = value;
        }

        return [.. sections.Values];
    }

    private static void CheckKey(string group, string key, Func<string, string, string> complaint)
    {
        bool isKnown = key is "event" or "state" || (group == Inject ? key is "iotype" or "errno" or "sector" or "once" or "immediately" : key is "new_state");
        if (!isKnown)
        {
            throw Invalid(complaint(key, group));
        }
    }

    private static BlkdebugRule InjectRule(Dictionary<string, string> values)
    {
        string name = EventOf(values);
        long sector = Number(values, "sector", -1);
        _ = Flag(values, "immediately");
        BlkdebugAccess accesses = BlkdebugAccess.Usual;
        if (values.TryGetValue("iotype", out string? access) && !Accesses.TryGetValue(access, out accesses))
        {
            throw Invalid($"invalid parameter value: {access}");
        }

        return new BlkdebugRule
        {
            Event = name,
            State = Number(values, "state", 0),
            Accesses = accesses,
            Errno = (int)Number(values, "errno", Storage.Native.Errno.IO),
            Offset = sector is >= 0 and <= long.MaxValue / SectorSize ? sector * SectorSize : -1,
            Once = Flag(values, "once"),
        };
    }

    private static BlkdebugRule StateRule(Dictionary<string, string> values) =>
        new() { Event = EventOf(values), State = Number(values, "state", 0), NewState = Number(values, "new_state", 0) };

    private static string EventOf(Dictionary<string, string> values)
    {
        string name = values.GetValueOrDefault("event") ?? throw Invalid("Missing event name for rule");
        return Events.Contains(name) ? name : throw Invalid($"invalid parameter value: {name}");
    }

    private static long Number(Dictionary<string, string> values, string name, long otherwise) => !values.TryGetValue(name, out string? text)
        ? otherwise
        : long.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowLeadingWhite, CultureInfo.InvariantCulture, out long number)
            ? number
            : throw Invalid($"Parameter '{name}' expects a number");

    private static bool Flag(Dictionary<string, string> values, string name) => values.GetValueOrDefault(name) switch
    {
        null or "off" or "no" or "false" or "n" => false,
        "on" or "yes" or "true" or "y" => true,
        _ => throw Invalid($"Parameter '{name}' expects 'on' or 'off'"),
    };

    // Requests of any size and place are taken here; what QEMU refuses is refused.
    private static void CheckLimit(IReadOnlyDictionary<string, string> options, string name)
    {
        if (!options.TryGetValue(name, out string? text))
        {
            return;
        }

        long align = options.TryGetValue("align", out string? given) && ByteSize.TryParse(given, out long stated) && stated > 0 ? stated : 1;
        bool isSize = ByteSize.TryParse(text, out long value);
        bool fits = name == "align" ? (value & (value - 1)) == 0 : value % align == 0;
        if (isSize && (value >= int.MaxValue || !fits))
        {
            throw Invalid($"Cannot meet constraints with {name} {value}");
        }
    }

    private static ImageException Invalid(string message) => new(ImageErrorKind.InvalidArgument, null, message);
}
