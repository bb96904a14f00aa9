namespace ImageCluster.Api.Operating;

/// <summary>The commands as docs/operator.md has them.</summary>
internal static class OperatorPage
{
    public static void Write(TextWriter page)
    {
        page.Write("""
            # The operator's commands

            What an operator can ask of a running cluster and do to it, from a console. This page is made from the table in
            `src/ImageCluster.Api/Operating` (a test compares them). The same commands are there in three places:

            - **Petabridge.Cmd**: `pbm HOST:9110` connects to a node's console (`console.port` in [node.md](node.md)) and offers them with completion.
            - **HTTP**: `POST /api/v1/operator` with `{"palette":"job","command":"list","arguments":{"--state":"active"}}` answers
              `{"succeeded":true,"text":"..."}`.
            - **`imagecluster`** has the everyday ones as commands of its own: `submit`, `status`, `watch`, `pause`, `resume`, `cancel`, `retry`, `images`, `workers`.

            A command always answers. Where it was refused the answer's first word says why: `invalid`, `not found`, `conflict`, `busy` (somebody is in the
            way), `not available` (no coordinator answers now; trying again can succeed).

            """);
        foreach (OperatorPalette palette in OperatorTable.All)
        {
            page.Write($"\n## {palette.Name}\n\n{palette.Description}\n");
            foreach (OperatorCommand command in palette.Commands)
            {
                page.Write($"\n### {palette.Name} {command.Name}\n\n{command.Description}\n");
                if (command.Arguments.Count > 0)
                {
                    page.Write("\n| argument | | meaning |\n|---|---|---|\n");
                }

                foreach (OperatorArgument argument in command.Arguments)
                {
                    string switches = string.Join(", ", argument.Switches.Select(text => $"`{text}`"));
                    string hints = argument.Hints is { Count: > 0 } some ? $" ({string.Join(", ", some.Select(hint => $"`{hint}`"))})" : "";
                    page.Write($"| {switches} | {(argument.IsMandatory ? "required" : "")} | {argument.Description}{hints} |\n");
                }
            }
        }
    }
}
