namespace ImageCluster.Node.Configuration;

/// <summary>The settings for people: <c>--help</c>, and docs/node.md, which a test compares.</summary>
internal static class NodeHelp
{
    public static void Write(TextWriter output)
    {
        output.WriteLine("imagecluster node [--config FILE] [--KEY VALUE ...]: a coordinator, a worker or both; ends on SIGTERM.");
        output.WriteLine("imagecluster node ... --check: look at the configuration and start nothing.");
        output.WriteLine("imagecluster node ... --health: ask the node that runs with these settings whether it is alive; 0 where it is.");
        output.WriteLine();
        output.WriteLine("Settings, in FILE (YAML, levels for dots), as --KEY VALUE, or in variables (IMAGECLUSTER_, '__' for dots):");
        foreach (Setting setting in NodeSettings.All)
        {
            output.WriteLine($"  {setting.Key}  ({setting.Form}{(setting.Default.Length > 0 ? $"; {setting.Default}" : "")}){(setting.IsSecret ? "  not as an argument" : "")}");
            output.WriteLine($"      {setting.Description.Replace("`", "", StringComparison.Ordinal)}");
        }
    }

    /// <summary>The table of docs/node.md.</summary>
    public static void WriteTable(TextWriter page)
    {
        page.Write("| setting | values | default | meaning |\n|---|---|---|---|\n");
        foreach (Setting setting in NodeSettings.All)
        {
            string standard = setting.Default.Length > 0 ? $"`{setting.Default}`" : "";
            string secret = setting.IsSecret ? " Not as an argument." : "";
            page.Write($"| `{setting.Key}` | {setting.Form} | {standard} | {setting.Description}{secret} |\n");
        }
    }
}
