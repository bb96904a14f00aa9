using ImageCluster.QemuImg.Commands;

namespace ImageCluster.QemuImg.CommandLine;

/// <summary>Every command there is, in one list: dispatch, help, completion and the reference page are made from it.</summary>
internal static class CommandTable
{
    /// <summary>In alphabetical order.</summary>
    public static IReadOnlyList<CommandSpec> All { get; } =
    [
        AmendCommand.Spec,
        BenchCommand.Spec,
        BitmapCommand.Spec,
        CheckCommand.Spec,
        CommitCommand.Spec,
        CompareCommand.Spec,
        CompletionCommand.Spec,
        ConvertCommand.Spec,
        CreateCommand.Spec,
        DdCommand.Spec,
        InfoCommand.Spec,
        MapCommand.Spec,
        MeasureCommand.Spec,
        RebaseCommand.Spec,
        ResizeCommand.Spec,
        SnapshotCommand.Spec,
    ];

    public static CommandSpec? Find(string name) => All.FirstOrDefault(command => command.Name == name);
}
