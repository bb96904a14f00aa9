using ImageCluster.QemuImg.Images;

namespace ImageCluster.QemuImg.CommandLine;

/// <summary>QEMU's objects (QAPI ObjectType) that only a running machine has: qemu-img knows their names and refuses them.</summary>
internal static class MachineObjects
{
    /// <summary>By type, the first property that must be given; empty where none must.</summary>
    public static IReadOnlyDictionary<string, string> Types { get; } = new Dictionary<string, string>
    {
        ["authz-listfile"] = "filename",
        ["authz-pam"] = "service",
        ["can-bus"] = "",
        ["can-host-socketcan"] = "if",
        ["colo-compare"] = "primary_in",
        ["cryptodev-backend"] = "",
        ["cryptodev-backend-builtin"] = "",
        ["cryptodev-backend-lkcf"] = "",
        ["cryptodev-vhost-user"] = "chardev",
        ["dbus-vmstate"] = "addr",
        ["filter-buffer"] = "netdev",
        ["filter-dump"] = "netdev",
        ["filter-mirror"] = "netdev",
        ["filter-redirector"] = "netdev",
        ["filter-replay"] = "netdev",
        ["filter-rewriter"] = "netdev",
        ["input-barrier"] = "name",
        ["input-linux"] = "evdev",
        ["iothread"] = "",
        ["memory-backend-epc"] = "size",
        ["memory-backend-file"] = "size",
        ["memory-backend-memfd"] = "size",
        ["memory-backend-ram"] = "size",
        ["pef-guest"] = "",
        ["qtest"] = "chardev",
        ["rng-builtin"] = "",
        ["rng-egd"] = "chardev",
        ["rng-random"] = "",
        ["s390-pv-guest"] = "",
        ["sev-guest"] = "reduced-phys-bits",
        ["x-remote-object"] = "fd",
        ["x-vfio-user-server"] = "socket",
    };

    /// <summary>Of types that qemu-img takes, the first property that must be given.</summary>
    public static IReadOnlyDictionary<string, string> Required { get; } = new Dictionary<string, string>
    {
        ["authz-simple"] = "identity",
        ["pr-manager-helper"] = "path",
        ["secret_keyring"] = "serial",
    };

    /// <summary>Refuses properties that a throttle group does not have.</summary>
    public static void CheckThrottling(IReadOnlyDictionary<string, string> fields)
    {
        foreach ((string name, string value) in fields)
        {
            string[] words = name.Split('-');
            bool isLimit = words is ["x", "iops" or "bps", "total" or "read" or "write"] or ["x", "iops" or "bps", "total" or "read" or "write", "max"] or ["x", "iops" or "bps", "total" or "read" or "write", "max", "length"] or ["x", "iops", "size"];
            long limit = 0;
            if (isLimit && !CInteger.TryParse(value, out limit))
            {
                throw new CommandException($"Parameter '{name}' expects integer");
            }

            if (isLimit && limit < 0)
            {
                throw new CommandException("Property values cannot be negative");
            }

            if (limit == 0 && words[^1] == "length")
            {
                throw new CommandException("the burst length cannot be 0");
            }

            if (!isLimit && !name.StartsWith("limits.", StringComparison.Ordinal))
            {
                throw new CommandException($"Parameter '{name}' is unexpected");
            }
        }
    }
}
