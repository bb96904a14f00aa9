using System.CommandLine;
using ImageCluster.Api;
using ImageCluster.Api.Documents;
using ImageCluster.Cli.Remote;

namespace ImageCluster.Cli.Commands;

/// <summary><c>imagecluster images</c>: who uses which image.</summary>
internal static class ImagesCommand
{
    public static Command Create(CliHost host)
    {
        var options = new RemoteOptions();
        var name = new Argument<string?>("IMAGE") { Description = "root:path of one image [default: all that are in use].", Arity = ArgumentArity.ZeroOrOne };
        var command = new Command("images", "Show the images of a cluster that are in use, and who uses them.") { name };
        options.AddTo(command);
        command.SetAction(parsed => RemoteCall.Run(parsed, options, host, (call, stop) => ShowAsync(call, parsed.GetValue(name), stop)));
        return command;
    }

    private static async Task<int> ShowAsync(RemoteCall call, string? name, CancellationToken stop)
    {
        ImageList list = name is null
            ? await call.Client.ListImagesAsync(new ListQuery { Limit = ListQuery.MaxLimit }, stop)
            : new ImageList([await call.Client.GetImageAsync(name, stop)], 1);
        if (!call.AsJson)
        {
            RemoteTables.InUse(call.Host.Console, list);
        }
        else if (name is null)
        {
            call.WriteJson(list, ApiJsonForms.Indented.ImageList);
        }
        else
        {
            call.WriteJson(list.Items[0], ApiJsonForms.Indented.ImageDocument);
        }

        return ExitCode.Done;
    }
}
