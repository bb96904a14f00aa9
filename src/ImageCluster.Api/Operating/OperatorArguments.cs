using System.Globalization;

namespace ImageCluster.Api.Operating;

/// <summary>The arguments of one call, by their names.</summary>
public sealed class OperatorArguments
{
    private readonly Dictionary<string, string> _values;

    private OperatorArguments(Dictionary<string, string> values) => _values = values;

    /// <summary>Finds the arguments that switches stand for.</summary>
    /// <param name="command">The command that is called.</param>
    /// <param name="given">Switches (or names) and their values.</param>
    /// <exception cref="OperationRefusedException">One is unknown, given twice, or missing.</exception>
    public static OperatorArguments Bind(OperatorCommand command, IEnumerable<KeyValuePair<string, string>> given)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach ((string key, string value) in given)
        {
            OperatorArgument argument = command.Arguments.FirstOrDefault(argument => argument.Name == key || argument.Switches.Contains(key))
                ?? throw Invalid($"'{key}' is not an argument of '{command.Name}'");
            if (!values.TryAdd(argument.Name, value))
            {
                throw Invalid($"'{argument.Switches[^1]}' is given twice");
            }
        }

        OperatorArgument? missing = command.Arguments.FirstOrDefault(argument => argument.IsMandatory && !values.ContainsKey(argument.Name));
        return missing is null
            ? new OperatorArguments(values)
            : throw Invalid($"'{command.Name}' needs {string.Join(" or ", missing.Switches)}: {missing.Description}");
    }

    /// <summary>The value, or null where it was not given.</summary>
    public string? Find(string name) => _values.GetValueOrDefault(name);

    /// <exception cref="OperationRefusedException">It was not given.</exception>
    public string Get(string name) => Find(name) ?? throw Invalid($"'{name}' is missing");

    /// <exception cref="OperationRefusedException">It is not a number of that range.</exception>
    public long GetNumber(string name, long otherwise, long min, long max)
    {
        if (Find(name) is not { } text)
        {
            return otherwise;
        }

        return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long value) && value >= min && value <= max
            ? value
            : throw Invalid($"{name} '{text}' is not a number from {min} to {max}");
    }

    /// <summary>True for <c>true</c>, <c>yes</c>, <c>on</c> and for a switch without a value.</summary>
    /// <exception cref="OperationRefusedException">It is something else than those or their opposites.</exception>
    public bool GetFlag(string name) => Find(name) switch
    {
        null or "false" or "no" or "off" => false,
        "" or "true" or "yes" or "on" => true,
        string other => throw Invalid($"{name} '{other}' is neither true nor false"),
    };

    internal static OperationRefusedException Invalid(string message) => new(RefusalReason.Invalid, message);
}
