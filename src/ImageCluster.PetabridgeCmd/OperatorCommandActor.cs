using Akka.Actor;
using ImageCluster.Api;
using ImageCluster.Api.Operating;
using Petabridge.Cmd;
using Petabridge.Cmd.Host;

namespace ImageCluster.PetabridgeCmd;

/// <summary>Runs the commands that one console types. Every command gets one final answer, since the console waits for it.</summary>
internal sealed class OperatorCommandActor : CommandHandlerActor
{
    private readonly string _palette;
    private readonly Func<IClusterOperations> _cluster;
    private readonly Func<string, string>? _readManifest;

    public OperatorCommandActor(OperatorPalette palette, Func<IClusterOperations> cluster, Func<string, string>? readManifest)
        : base(OperatorPaletteHandler.Translate(palette))
    {
        (_palette, _cluster, _readManifest) = (palette.Name, cluster, readManifest);
        foreach (OperatorCommand command in palette.Commands)
        {
            Process(command.Name, call => Run(command.Name, call));
        }
    }

    private void Run(string name, Command call)
    {
        // The console, not this actor, by the time the answer is there.
        IActorRef console = Sender;
        var arguments = call.Arguments.Select(argument => KeyValuePair.Create(argument.Item1, argument.Item2)).ToList();
        OperatorTable.RunAsync(_palette, name, arguments, _cluster(), "console", _readManifest).PipeTo(
            console,
            success: answer => answer.Succeeded ? new CommandResponse(answer.Text) : new ErroredCommandResponse(answer.Text),
            failure: e => new ErroredCommandResponse($"internal error: {e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}"));
    }
}
