namespace ImageCluster.Node.Configuration;

/// <summary>A setting with values of a type.</summary>
/// <param name="parse">Reads a value; false with what is wrong with it.</param>
public sealed class TypedSetting<T>(string key, string form, string standard, string description, TypedSetting<T>.Parser parse)
    : Setting(key, form, standard, description)
{
    public delegate bool Parser(string text, out T value, out string problem);

    public override string? ProblemOf(string text) => parse(text, out _, out string problem) ? null : problem;

    /// <summary>The value that a text stands for, which has been found good.</summary>
    public T Read(string text) => parse(text, out T value, out string problem) ? value : throw new ArgumentException(problem, nameof(text));
}
