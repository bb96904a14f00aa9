using System.CommandLine;
using System.Diagnostics;
using System.Runtime.InteropServices;
using ImageCluster.Faults;
using ImageCluster.Faults.Cases;
using ImageCluster.Faults.Networks;

FaultCase[] all = [.. Losses.All, .. Cuts.All, .. Journals.All, .. BadInput.All, Pairings.Case];

var names = new Argument<string[]>("case") { Description = $"Only these: {string.Join(", ", all.Select(known => known.Name))}", Arity = ArgumentArity.ZeroOrMore };
var rounds = new Option<int>("--rounds") { Description = "How often each", DefaultValueFactory = _ => 1 };
var seed = new Option<int>("--seed") { Description = "Of the first round", DefaultValueFactory = _ => Environment.TickCount };
var node = new Option<string>("--node") { Description = "The node's program (built by ./imagecluster build)", DefaultValueFactory = _ => "out/node/imagecluster-node.dll" };
var tls = new Option<bool>("--tls") { Description = "Nodes speak TLS (from the repository's root: by deploy/make-certificates)" };
var root = new RootCommand("Lets clusters of real processes go wrong in every way, and checks every image afterwards.") { names, rounds, seed, node, tls };
root.SetAction(async parsed =>
{
    string[] wanted = parsed.GetValue(names)!;
    if (wanted.FirstOrDefault(name => all.All(known => known.Name != name)) is { } unknown)
    {
        Console.Error.WriteLine($"faults: there is no case '{unknown}'");
        return 2;
    }

    string program = Path.GetFullPath(parsed.GetValue(node)!);
    if (!File.Exists(program))
    {
        Console.Error.WriteLine($"faults: there is no {program}; run ./imagecluster build");
        return 2;
    }

    int failed = 0;
    foreach (FaultCase fault in all.Where(known => wanted.Length == 0 || wanted.Contains(known.Name)))
    {
        if (Missing(fault.Needs) is { } missing)
        {
            Console.WriteLine($"{fault.Name,-18} left out: {missing}");
            continue;
        }

        for (int round = 0; round < parsed.GetValue(rounds); round++)
        {
            failed += await RunAsync(fault, unchecked(parsed.GetValue(seed) + round), program, parsed.GetValue(tls)) ? 0 : 1;
        }
    }

    Console.WriteLine(failed == 0 ? "Every image came out right." : $"{failed} runs went wrong.");
    return failed == 0 ? 0 : 1;
});
// A run that is interrupted takes its time to end its nodes.
return await root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });

static async Task<bool> RunAsync(FaultCase fault, int seed, string program, bool hasTls)
{
    var passed = Stopwatch.StartNew();
    string directory = Directory.CreateTempSubdirectory("imagecluster-faults-").FullName;
    using var cluster = new FaultCluster(directory, program, fault.CutsNetworks ? new NamespaceNetwork() : new LoopbackNetwork(), hasTls);
    void Stop(PosixSignalContext signal)
    {
        cluster.Dispose();
        Environment.Exit(130);
    }

    // Nothing of it is left on the machine, whoever ends it.
    using PosixSignalRegistration interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
    using PosixSignalRegistration terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
    try
    {
        await fault.Run(cluster, new Random(seed));
        Console.WriteLine($"{fault.Name,-18} seed {seed,11}  well, {passed.Elapsed.TotalSeconds:0} s{(cluster.Told.Length > 0 ? $" ({cluster.Told})" : "")}");
        return true;
    }
    catch (Exception e)
    {
        // Whatever it was: the others have their turn.
        cluster.KeepsFiles = true;
        string what = e is FaultException or ImageCluster.Api.OperationRefusedException ? e.Message : e.ToString();
        Console.WriteLine($"{fault.Name,-18} seed {seed,11}  WRONG after {passed.Elapsed.TotalSeconds:0} s ({cluster.Told}): {what}\nAll of it is in {directory}\n{cluster.Logs()}");
        return false;
    }
}

static string? Missing(string? needs) => needs switch
{
    null => null,
    "root" => Environment.UserName == "root" ? null : "it needs root",
    "postgresql" => PostgreSqlServer.Programs is null ? "PostgreSQL is not installed" : Environment.UserName == "root" ? null : "it needs root",
    _ => Environment.GetEnvironmentVariable("PATH")!.Split(':').Any(place => File.Exists(Path.Join(place, needs))) ? null : $"{needs} is not installed",
};
