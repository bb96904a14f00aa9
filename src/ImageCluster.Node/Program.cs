using ImageCluster.Node.Configuration;
using ImageCluster.Node.Health;
using ImageCluster.Node.Hosting;

if (args is ["--help"] or ["-h"])
{
    NodeHelp.Write(Console.Out);
    return 0;
}

bool check = args is [.., "--check"];
bool health = args is [.., "--health"];
NodeOptions options;
try
{
    options = NodeOptionsReader.Read(check || health ? args[..^1] : args, Environment.GetEnvironmentVariables(), Environment.CurrentDirectory);
}
catch (NodeConfigurationException e)
{
    foreach (string problem in e.Problems)
    {
        Console.Error.WriteLine($"imagecluster node: {problem}");
    }

    return 2;
}

if (check)
{
    Console.WriteLine("The configuration is good.");
    return 0;
}

if (health)
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
catch (Exception e) when (e is IOException or InvalidOperationException or System.Net.Sockets.SocketException)
{
    Console.Error.WriteLine($"imagecluster node: {e.Message.ReplaceLineEndings(" ")}");
    return 1;
}
