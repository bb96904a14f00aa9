using System.CommandLine;
using ImageCluster.Cluster.Scale;

var images = new Option<int>("--images") { Description = "Images of the migration.", DefaultValueFactory = _ => 2000 };
var shards = new Option<int>("--shards") { Description = "Shards of 512 MiB of each: 2,048 are 1 TiB.", DefaultValueFactory = _ => 2048 };
var atATime = new Option<int>("--at-a-time") { Description = "Images at a time.", DefaultValueFactory = _ => 64 };
var workers = new Option<int>("--workers") { Description = "Workers with one slot each.", DefaultValueFactory = _ => 64 };
var shardTime = new Option<double>("--shard-ms") { Description = "How long a worker takes for a shard.", DefaultValueFactory = _ => 0 };
var command = new RootCommand("Runs a migration with simulated payload through one coordinator with its journal in SQLite, and prints what it cost.")
{
    images, shards, atATime, workers, shardTime,
};
command.SetAction((result, _) => new ScaleRun(
    result.GetValue(images), result.GetValue(shards), result.GetValue(atATime), result.GetValue(workers),
    TimeSpan.FromMilliseconds(result.GetValue(shardTime))).RunAsync(Console.Out));
return await command.Parse(args).InvokeAsync();
