using ImageCluster.QemuImg.CommandLine;

namespace ImageCluster.QemuImg.Commands;

/// <summary>The arguments of repeated <c>-o</c>, which add up.</summary>
internal sealed class OptionText
{
    /// <summary>All arguments joined by commas; null where there was none.</summary>
    public string? Text { get; private set; }

    public bool AsksForHelp => Text is not null && KeyValueText.AsksForHelp(Text);

    /// <exception cref="CommandException">It is not a list that can be joined.</exception>
    public void Add(string argument)
    {
        if (!KeyValueText.IsValidList(argument))
        {
            throw new CommandException($"Invalid option list: {argument}");
        }

        Text = Text is null ? argument : $"{Text},{argument}";
    }
}
