namespace ImageCluster.Imaging.Tests.Formats.Structures;

/// <summary>The formats that are audited structure by structure.</summary>
internal static class StructureMaps
{
    private static readonly IReadOnlyDictionary<string, Func<StructureMap>> All = new Dictionary<string, Func<StructureMap>>
    {
        ["vdi"] = BlockTableMaps.Vdi,
        ["vpc"] = BlockTableMaps.Vpc,
        ["vpc fixed"] = BlockTableMaps.VpcFixed,
        ["vhdx"] = BlockTableMaps.Vhdx,
        ["parallels"] = BlockTableMaps.Parallels,
        ["qcow"] = ClusterTableMaps.Qcow,
        ["qed"] = ClusterTableMaps.Qed,
        ["luks"] = LuksMap.Luks,
        ["bochs"] = ReadOnlyMaps.Bochs,
        ["cloop"] = ReadOnlyMaps.Cloop,
        ["dmg by property list"] = ReadOnlyMaps.DmgByPropertyList,
        ["dmg by resource fork"] = ReadOnlyMaps.DmgByResourceFork,
        ["vmdk vmfs"] = EsxMaps.Vmfs,
        ["vmdk vmfsSparse"] = EsxMaps.VmfsSparse,
        ["vmdk seSparse"] = EsxMaps.SeSparse,
        ["vmdk in an OVA"] = EsxMaps.Ova,
        ["vpc differencing"] = DifferencingMaps.Vpc,
        ["vhdx differencing"] = DifferencingMaps.Vhdx,
    };

    public static TheoryData<string> Names => new(All.Keys);

    public static StructureMap Of(string name) => All[name]();
}
