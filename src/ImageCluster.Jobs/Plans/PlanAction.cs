namespace ImageCluster.Jobs.Plans;

public enum PlanAction
{
    /// <summary>To be converted.</summary>
    Convert,

    /// <summary>Left out as it should be: its target is there, or it is a part of another image.</summary>
    Skip,

    /// <summary>Cannot be converted; the others can.</summary>
    Refuse,
}
