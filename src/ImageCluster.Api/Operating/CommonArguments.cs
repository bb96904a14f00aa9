namespace ImageCluster.Api.Operating;

/// <summary>Arguments that several commands have.</summary>
internal static class CommonArguments
{
    public static readonly OperatorArgument Limit = new("limit", ["-n", "--limit"], $"At most so many (1 to {ListQuery.MaxLimit}; {ListQuery.DefaultLimit} otherwise).");

    public static readonly OperatorArgument Offset = new("offset", ["--offset"], "So many are passed over.");

    public static OperatorArgument Id(string what) => new("id", ["-i", "--id"], $"The {what}'s id.", IsMandatory: true);

    public static OperatorArgument State(params string[] states) =>
        new("state", ["-s", "--state"], "Only those in this state; 'active': those that are not over.", Hints: [ListQuery.Active, .. states]);

    public static ListQuery Query(OperatorArguments arguments) => new()
    {
        State = arguments.Find("state"),
        Migration = arguments.Find("migration"),
        Offset = (int)arguments.GetNumber("offset", 0, 0, int.MaxValue),
        Limit = (int)arguments.GetNumber("limit", ListQuery.DefaultLimit, 1, ListQuery.MaxLimit),
    };

    /// <summary>A line below a table that does not show all.</summary>
    public static string More(ListQuery query, int shown, int total) =>
        query.Offset + shown < total ? $"\n{shown} of {total} shown; --offset {query.Offset + shown} goes on" : "";
}
