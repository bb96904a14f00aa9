using System.CommandLine;
using ImageCluster.Cli.Demonstrating;

namespace ImageCluster.Cli.Commands;

/// <summary><c>imagecluster demo</c>: real disks made on the spot, migrated, verified, shown.</summary>
internal static class DemoCommand
{
    public const string Remarks = """
        Makes an ext4 file system out of some of this machine's files (with mke2fs, where it is installed), an overlay over it, a compressed
        image and a vmdk; migrates them to qcow2; and says what to try next. Takes about 1 GiB of space.

        With --nodes 3 a cluster does it: three processes on this machine share a journal, one of them is killed on the way, and every target is
        compared with its source at the end. That takes one or two minutes.
        """;

    public static Command Create(CliHost host)
    {
        var directory = new Argument<string?>("DIR") { Description = "Where to make it [default: imagecluster-demo].", Arity = ArgumentArity.ZeroOrOne };
        var nodes = new Option<int?>("--nodes") { Description = "Migrate them through a cluster of so many processes (1 to 9) on this machine; of 3 or more one is killed.", HelpName = "N" };
        var command = new Command("demo", "Make real disks on the spot, migrate and verify them, and show the result.") { directory, nodes };
        command.SetAction(parsed =>
        {
            string path = Path.GetFullPath(parsed.GetValue(directory) ?? "imagecluster-demo", host.Directory);
            return parsed.GetValue(nodes) switch
            {
                null => new Demo(host, path).Run(),
                >= 1 and <= 9 and int count => new ClusterDemo(host, path, NodeCommand.Find(host), count).Run(),
                int other => throw CliException.Usage($"--nodes {other} is not between 1 and 9"),
            };
        });
        return command;
    }
}
