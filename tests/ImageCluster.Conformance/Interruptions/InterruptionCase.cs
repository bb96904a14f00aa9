namespace ImageCluster.Conformance.Interruptions;

/// <summary>A command that changes files, and the guest bytes of which none may be lost when it is interrupted.</summary>
/// <param name="Group">What the files are.</param>
/// <param name="Line">The command.</param>
/// <param name="Setup">Makes the files (<see cref="Inputs"/>).</param>
/// <param name="Views">What is looked at.</param>
internal sealed record InterruptionCase(string Group, string Line, IReadOnlyList<string> Setup, IReadOnlyList<View> Views)
{
    public override string ToString() => $"{Group}: {Line}";
}
