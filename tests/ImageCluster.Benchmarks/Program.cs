using System.CommandLine;
using ImageCluster.Benchmarks;
using Spectre.Console;

Option<string> ours = new("--ours") { Description = "Our qemu-img (built by ./imagecluster build)", DefaultValueFactory = _ => "out/bin/qemu-img" };
Option<string> theirs = new("--qemu-img") { Description = "QEMU's qemu-img", DefaultValueFactory = _ => "/usr/bin/qemu-img" };
Option<string> directory = new("--dir") { Description = "Work directory (needs about 4 times the size)", DefaultValueFactory = _ => Path.Combine(Path.GetTempPath(), "imagecluster-benchmarks") };
Option<int> runs = new("--runs") { Description = "Runs of each program", DefaultValueFactory = _ => 5 };
Option<int> size = new("--size") { Description = "Size of the source image in MiB", DefaultValueFactory = _ => 4096 };
Argument<string[]> filter = new("OPERATION") { Description = "Only operations whose name contains one of these", Arity = ArgumentArity.ZeroOrMore };
RootCommand root = new("Times each operation beside qemu-img: both in turn, the median of the pairs' ratios.") { ours, theirs, directory, runs, size, filter };
root.SetAction(parsed =>
{
    string[] words = parsed.GetValue(filter) ?? [];
    List<Operation> operations = [.. Operation.All.Where(o => words.Length == 0 || words.Any(w => o.Name.Contains(w, StringComparison.OrdinalIgnoreCase)))];
    Workspace workspace = new(parsed.GetValue(directory)!, parsed.GetValue(theirs)!, (long)parsed.GetValue(size) << 20);
    workspace.Prepare(operations);

    Table table = new Table().AddColumns("operation", "ours s", "qemu-img s", "ratio", "(range)", "CPU ratio", "ours MiB", "qemu-img MiB");
    foreach (Operation operation in operations)
    {
        Pairing result = Pairing.Measure(operation, workspace, Path.GetFullPath(parsed.GetValue(ours)!), parsed.GetValue(theirs)!, parsed.GetValue(runs));
        table.AddRow(result.Cells(operation.Name));
        Console.Error.WriteLine(string.Join("  ", result.Cells(operation.Name)));
    }

    AnsiConsole.Write(table);
    return 0;
});
return root.Parse(args).Invoke();
