using System.Net.Sockets;
using ImageCluster.Node.Configuration;
using ImageCluster.Node.Health;
using ImageCluster.Node.Hosting;

const string CheckSwitch = "--check";
const string HealthSwitch = "--health";
if (args.Contains("--help") || args.Contains("-h"))
{
    NodeHelp.Write(Console.Out);
    return 0;
}

NodeOptions options;
try
{
    options = NodeOptionsReader.Read([.. args.Where(argument => argument is not (CheckSwitch or HealthSwitch))], Environment.GetEnvironmentVariables(), Environment.CurrentDirectory);
}
catch (NodeConfigurationException e)
{
    foreach (string problem in e.Problems)
    {
        Console.Error.WriteLine($"imagecluster node: {problem}");
    }

    return 2;
}

if (args.Contains(CheckSwitch))
{
    Console.WriteLine("The configuration is good.");
    return 0;
}

if (args.Contains(HealthSwitch))
{
    return await HealthProbe.AskAsync(options, Console.Error);
}

try
{
    await using WebApplication app = NodeHost.Build(options);
    await app.RunAsync();
    // Set by the actors where the others gave this node up, so that a supervisor starts it again.
    return Environment.ExitCode;
}
catch (Exception e) when (e is IOException or InvalidOperationException)
{
    Console.Error.WriteLine($"imagecluster node: {e.Message.ReplaceLineEndings(" ")}");
    return 1;
}
// From within the actor system: the only thing that it opens at its start is the port for other nodes.
catch (Exception e) when (Innermost(e) is SocketException cause)
{
    Console.Error.WriteLine($"imagecluster node: other nodes' connections cannot be taken on {options.Cluster.Bind}:{options.Cluster.Port}: {cause.Message}");
    return 1;
}

static Exception Innermost(Exception e) => e.InnerException is { } inner ? Innermost(inner) : e;
