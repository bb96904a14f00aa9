namespace ImageCluster.Imaging.Formats;

public enum CreateOptionType
{
    Text,
    Size,
    Number,
    Flag,
}

/// <summary>An option of <c>create -o</c>.</summary>
/// <param name="Name">As typed.</param>
/// <param name="Type">What values it takes.</param>
/// <param name="Help">The text of <c>-o help</c>.</param>
/// <param name="Default">The default that "Formatting ..." shows where the option is not given, or null where it shows none.</param>
public sealed record CreateOption(string Name, CreateOptionType Type, string Help, string? Default = null);
