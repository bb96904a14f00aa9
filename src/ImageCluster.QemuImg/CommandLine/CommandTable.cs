using ImageCluster.QemuImg.Commands;

namespace ImageCluster.QemuImg.CommandLine;

/// <summary>Every command there is, in one list: dispatch, help, completion and the reference page are made from it.</summary>
internal static class CommandTable
{
    /// <summary>In alphabetical order.</summary>
    public static IReadOnlyList<CommandSpec> All { get; } =
    [
        CheckCommand.Spec,
        CompareCommand.Spec,
        CompletionCommand.Spec,
        ConvertCommand.Spec,
        CreateCommand.Spec,
        InfoCommand.Spec,
        MapCommand.Spec,
    ];

    public static CommandSpec? Find(string name) => All.FirstOrDefault(command => command.Name == name);
}
