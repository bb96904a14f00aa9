using System.CommandLine;

namespace ImageCluster.Cluster.Scale;

internal static class Program
{
    public static Task<int> Main(string[] args) =>
        new RootCommand("Measures the cluster against the limits that it is to keep to.") { Load(), Speedup(), Convert() }.Parse(args).InvokeAsync();

    private static Command Load()
    {
        Option<int> images = new("--images") { Description = "Images of the migration.", DefaultValueFactory = _ => 2000 };
        Option<int> shards = new("--shards") { Description = "Shards of 512 MiB of each: 2,048 are 1 TiB.", DefaultValueFactory = _ => 2048 };
        Option<int> atATime = new("--at-a-time") { Description = "Images at a time.", DefaultValueFactory = _ => 64 };
        Option<int> workers = new("--workers") { Description = "Workers with one slot each.", DefaultValueFactory = _ => 64 };
        Command command = new("load", "A migration of many large images through one coordinator; workers take no time for a shard.") { images, shards, atATime, workers };
        command.SetAction((result, _) => new LoadMeasurement(
            result.GetValue(images), result.GetValue(shards), result.GetValue(atATime), result.GetValue(workers)).RunAsync(Console.Out));
        return command;
    }

    private static Command Speedup()
    {
        Option<int> images = new("--images") { Description = "Images of the migration, all at a time.", DefaultValueFactory = _ => 16 };
        Option<int> shards = new("--shards") { Description = "Shards of each.", DefaultValueFactory = _ => 1024 };
        Option<int> workers = new("--workers") { Description = "Workers with one slot each.", DefaultValueFactory = _ => 64 };
        Option<double> shardTime = new("--shard-ms") { Description = "How long a worker takes for a shard.", DefaultValueFactory = _ => 50 };
        Command command = new("speedup", "The same migration by one worker and by many of the same fixed speed.") { images, shards, workers, shardTime };
        command.SetAction((result, _) => new SpeedupMeasurement(
            result.GetValue(images), result.GetValue(shards), result.GetValue(workers), TimeSpan.FromMilliseconds(result.GetValue(shardTime))).RunAsync(Console.Out));
        return command;
    }

    private static Command Convert()
    {
        Option<string> programs = new("--programs") { Description = "What './imagecluster build' made.", DefaultValueFactory = _ => "out" };
        Option<string> directory = new("--directory") { Description = "Where the images go (twice the size of one); emptied afterwards.", DefaultValueFactory = _ => Path.GetTempPath() };
        Option<int> size = new("--gib") { Description = "Size of the image, half of it data.", DefaultValueFactory = _ => 8 };
        Option<int> rounds = new("--rounds") { Description = "How often each is done, in turn; medians count.", DefaultValueFactory = _ => 5 };
        Option<string> format = new("--format") { Description = "Of the target.", DefaultValueFactory = _ => "qcow2" };
        Command command = new("convert", "One image through one node with two slots, and by one process alone.") { programs, directory, size, rounds, format };
        command.SetAction((result, _) => new ConvertMeasurement(
            result.GetValue(programs)!, result.GetValue(directory)!, result.GetValue(size), result.GetValue(rounds), result.GetValue(format)!).RunAsync(Console.Out));
        return command;
    }
}
