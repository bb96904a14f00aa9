namespace ImageCluster.QemuImg.CommandLine;

/// <summary>An option as found on the command line.</summary>
internal readonly record struct OptionMatch(OptionSpec Option, string Argument)
{
    public string Key => Option.Key;
}

/// <summary>
/// Scans a command's arguments as getopt_long(3) of the GNU C library does: clusters of letters, joined and separate arguments,
/// <c>--name=value</c>, unambiguous beginnings of long names, <c>--</c>, options after operands (unless POSIXLY_CORRECT is set). It
/// keeps getopt's own index, because qemu-img's messages quote the argument before that index.
/// </summary>
/// <param name="options">What is known.</param>
/// <param name="arguments">The first is the command's name and is not looked at.</param>
/// <param name="permute">False stops at the first operand.</param>
internal sealed class OptionScanner(IReadOnlyList<OptionSpec> options, IReadOnlyList<string> arguments, bool permute = true)
{
    private readonly string[] _arguments = [.. arguments];
    private readonly bool _permute = permute && Environment.GetEnvironmentVariable("POSIXLY_CORRECT") is null;
    private int _index = 1;
    private string _cluster = "";

    // Operands that were skipped stand in [first, last).
    private int _firstOperand = 1;
    private int _lastOperand = 1;

    /// <summary>What is left once <see cref="Next"/> has returned null: the operands, in order.</summary>
    public ReadOnlySpan<string> Operands => _arguments.AsSpan(Math.Min(_index, _arguments.Length));

    /// <summary>Where getopt stands; <see cref="Operands"/> start here at the end.</summary>
    public int Index => _index;

    /// <summary>The next option, or null at the end.</summary>
    /// <exception cref="OptionException">An unknown or ambiguous option, or an argument that is missing or not taken.</exception>
    public OptionMatch? Next()
    {
        if (_cluster.Length == 0)
        {
            if (!FindOption())
            {
                return null;
            }

            string found = _arguments[_index];
            if (found.StartsWith("--", StringComparison.Ordinal))
            {
                return TakeLong(found[2..]);
            }

            _cluster = found[1..];
        }

        return TakeShort();
    }

    // Moves operands out of the way until an option stands at the index; false at the end.
    private bool FindOption()
    {
        _lastOperand = Math.Min(_lastOperand, _index);
        _firstOperand = Math.Min(_firstOperand, _index);
        if (_permute)
        {
            GatherOperands();
            while (_index < _arguments.Length && IsOperand(_arguments[_index]))
            {
                _index++;
            }

            _lastOperand = _index;
        }

        if (_index < _arguments.Length && _arguments[_index] == "--")
        {
            _index++;
            GatherOperands();
            _lastOperand = _arguments.Length;
            _index = _arguments.Length;
        }

        if (_index == _arguments.Length)
        {
            if (_firstOperand != _lastOperand)
            {
                _index = _firstOperand;
            }

            return false;
        }

        return !IsOperand(_arguments[_index]);
    }

    // Swaps the skipped operands with the options that came after them.
    private void GatherOperands()
    {
        if (_firstOperand == _lastOperand)
        {
            _firstOperand = _index;
        }
        else if (_lastOperand != _index)
        {
            int operands = _lastOperand - _firstOperand;
            Span<string> both = _arguments.AsSpan(_firstOperand, _index - _firstOperand);
            string[] moved = [.. both[operands..], .. both[..operands]];
            moved.CopyTo(both);
            _firstOperand += _index - _lastOperand;
            _lastOperand = _index;
        }
    }

    private OptionMatch TakeShort()
    {
        char letter = _cluster[0];
        _cluster = _cluster[1..];
        if (_cluster.Length == 0)
        {
            _index++;
        }

        OptionSpec option = options.FirstOrDefault(o => o.Short == letter && letter != '\0')
            ?? throw new OptionException(OptionFault.Unknown, _arguments[_index - 1], $"invalid option -- '{letter}'");
        if (option.Argument is null)
        {
            return new OptionMatch(option, "");
        }

        if (_cluster.Length > 0)
        {
            string joined = _cluster;
            _cluster = "";
            _index++;
            return new OptionMatch(option, joined);
        }

        return _index < _arguments.Length
            ? new OptionMatch(option, _arguments[_index++])
            : throw new OptionException(OptionFault.MissingArgument, _arguments[_index - 1], $"option requires an argument -- '{letter}'");
    }

    private OptionMatch TakeLong(string text)
    {
        _index++;
        int equals = text.IndexOf('=');
        string name = equals < 0 ? text : text[..equals];
        string whole = _arguments[_index - 1];
        OptionSpec option = FindLong(name, text, whole);
        if (equals >= 0)
        {
            return option.Argument is not null
                ? new OptionMatch(option, text[(equals + 1)..])
                : throw new OptionException(OptionFault.Unknown, whole, $"option '--{option.Long}' doesn't allow an argument");
        }

        if (option.Argument is null)
        {
            return new OptionMatch(option, "");
        }

        return _index < _arguments.Length
            ? new OptionMatch(option, _arguments[_index++])
            : throw new OptionException(OptionFault.MissingArgument, whole, $"option '--{option.Long}' requires an argument");
    }

    private OptionSpec FindLong(string name, string text, string whole)
    {
        OptionSpec[] found = [.. options.Where(o => o.Long is not null && o.Long.StartsWith(name, StringComparison.Ordinal))];
        if (found.FirstOrDefault(o => o.Long == name) is { } exact)
        {
            return exact;
        }

        return found switch
        {
            [var only] => only,
            [] => throw new OptionException(OptionFault.Unknown, whole, $"unrecognized option '--{text}'"),
            _ => throw new OptionException(OptionFault.Unknown, whole,
                $"option '--{text}' is ambiguous; possibilities:{string.Concat(found.Select(o => $" '--{o.Long}'"))}"),
        };
    }

    private static bool IsOperand(string argument) => argument.Length < 2 || argument[0] != '-';
}

internal enum OptionFault
{
    Unknown,
    MissingArgument,
}

/// <summary>An option that cannot be taken.</summary>
/// <param name="fault">What is wrong.</param>
/// <param name="quoted">The argument that qemu-img's own messages quote.</param>
/// <param name="ownWords">getopt's own message, without the program's name.</param>
internal sealed class OptionException(OptionFault fault, string quoted, string ownWords)
    : UsageException(fault == OptionFault.Unknown ? $"unrecognized option '{quoted}'" : $"missing argument for option '{quoted}'")
{
    public string OwnWords { get; } = ownWords;
}
