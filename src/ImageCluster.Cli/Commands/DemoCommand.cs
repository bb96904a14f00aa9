using System.CommandLine;
using ImageCluster.Cli.Demonstrating;

namespace ImageCluster.Cli.Commands;

/// <summary><c>imagecluster demo</c>: real disks made on the spot, migrated, verified, shown.</summary>
internal static class DemoCommand
{
    public const string Remarks = """
        Makes an ext4 file system out of some of this machine's files (with mke2fs, where it is installed), an overlay over it, a compressed
        image and a vmdk; migrates them to qcow2; and says what to try next. Takes about 1 GiB of space.
        """;

    public static Command Create(CliHost host)
    {
        var directory = new Argument<string?>("DIR") { Description = "Where to make it [default: imagecluster-demo].", Arity = ArgumentArity.ZeroOrOne };
        var command = new Command("demo", "Make real disks on the spot, migrate and verify them, and show the result.") { directory };
        command.SetAction(parsed => new Demo(host, Path.GetFullPath(parsed.GetValue(directory) ?? "imagecluster-demo", host.Directory)).Run());
        return command;
    }
}
