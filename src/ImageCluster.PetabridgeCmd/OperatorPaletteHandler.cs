using Akka.Actor;
using ImageCluster.Api;
using ImageCluster.Api.Operating;
using Petabridge.Cmd;
using Petabridge.Cmd.Host;

namespace ImageCluster.PetabridgeCmd;

/// <summary>A palette of the operator's table as Petabridge.Cmd has them.</summary>
internal sealed class OperatorPaletteHandler(OperatorPalette palette, Func<IClusterOperations> cluster, Func<string, string>? readManifest)
    : CommandPaletteHandler(Translate(palette))
{
    /// <summary>One actor for each connected console.</summary>
    public override Props HandlerProps { get; } = Props.Create(() => new OperatorCommandActor(palette, cluster, readManifest));

    internal static CommandPalette Translate(OperatorPalette palette) => new(palette.Name, [.. palette.Commands.Select(Translate)]);

    private static CommandDefinition Translate(OperatorCommand command)
    {
        CommandDefinitionBuilder builder = new CommandDefinitionBuilder().WithName(command.Name).WithDescription(command.Description);
        foreach (OperatorArgument argument in command.Arguments)
        {
            builder = builder.WithArgument(to =>
            {
                to = to.WithName(argument.Name).WithDescription(argument.Description).IsMandatory(argument.IsMandatory);
                foreach (string text in argument.Switches)
                {
                    to = to.WithSwitch(text);
                }

                return argument.Hints is { Count: > 0 } hints ? to.WithDefaultValues([.. hints]) : to;
            });
        }

        return builder.Build();
    }
}
