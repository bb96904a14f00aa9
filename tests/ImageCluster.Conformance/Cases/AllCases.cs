namespace ImageCluster.Conformance.Cases;

/// <summary>All tables in one list.</summary>
internal static class AllCases
{
    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        .. UsageCases.List,
        .. InfoCases.List,
        .. CreateCases.List,
        .. MapCases.List,
        .. CheckCases.List,
        .. CompareCases.List,
        .. ConvertCases.List,
        .. ChainCases.List,
        .. ChainNameCases.List,
        .. HeaderCases.List,
        .. ToolCases.List,
        .. BitmapCases.List,
        .. AmendCases.List,
        .. FormatCases.List,
        .. NodeCases.List,
        .. DebugCases.List,
        .. SeveralCases.List,
        .. WebCases.List,
        .. NbdCases.List,
        .. DamageCases.List,
        .. MiscountCases.List,
        .. OptionCases.List,
        .. OthersCases.List,
        .. ReadOnlyCases.List,
        .. FoundCases.List,
        .. GrowthCases.List,
        .. TargetOptionCases.List,
        .. ProtocolCases.List,
        .. OrderCases.List,
        .. DeviceCases.List,
        .. UnreadableCases.List,
        .. ReasonCases.List,
    ];
}
