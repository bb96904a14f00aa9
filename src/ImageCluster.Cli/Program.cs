using System.Runtime.InteropServices;
using ImageCluster.Cli;
using ImageCluster.Cli.Commands;
using ImageCluster.Imaging.Storage;

StandardFiles.Secure();
if (args is [ImgCommand.Name, ..])
{
    return ImgCommand.Run(args[1..]);
}

if (args is [NodeCommand.Name, .. var node])
{
    try
    {
        return NodeCommand.Run(node, CliHost.ForProcess(CancellationToken.None));
    }
    catch (CliException e)
    {
        Console.Error.WriteLine($"imagecluster: {e.Message}. {e.Hint}");
        return e.ExitCode;
    }
}

using CancellationTokenSource stop = new();

// The first signal asks for an orderly end; the second one ends the process as it would without us. Either way nothing is lost.
void OnSignal(PosixSignalContext context)
{
    context.Cancel = !stop.IsCancellationRequested;
    stop.Cancel();
}

using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
try
{
    return CliProgram.Run(args, CliHost.ForProcess(stop.Token));
}
catch (Exception e)
{
    Console.Error.WriteLine($"imagecluster: internal error: {e}");
    return ExitCode.Internal;
}
