namespace ImageCluster.Conformance.Walk;

/// <summary>Draws command lines from the manual's grammar: options in any order and spelling, and now and then a slip of the hand.</summary>
internal sealed class Walker
{
    private readonly Random _random;
    private readonly WalkWords _words;
    private readonly List<WalkCommand> _commands;

    public Walker(int seed)
    {
        _random = new Random(seed);
        _words = new WalkWords(_random);
        _commands = [.. WalkGrammar.Commands.SelectMany(static command => Enumerable.Repeat(command, command.Weight))];
    }

    /// <summary>A case of one to three lines, all on the same images.</summary>
    /// <param name="command">Of the first line; null for any.</param>
    public ConformanceCase Draw(string? command = null)
    {
        _words.ChooseFormat();
        List<string> steps = [];
        for (int i = _random.Next(1, 4); i > 0; i--)
        {
            List<WalkCommand> choices = command is null || steps.Count > 0 ? _commands : [.. _commands.Where(c => c.Name == command)];
            steps.Add(Line(choices[_random.Next(choices.Count)]));
        }

        return new ConformanceCase { Command = command ?? "walk", Topic = "walk", Setup = WalkImages.Setup, Steps = steps, IgnoresDiskSize = true };
    }

    private string Line(WalkCommand command)
    {
        List<string> options = [.. command.Options.Where(_ => _random.Next(command.Options.Length) < 2)];
        for (int i = options.Count - 1; i > 0; i--)
        {
            int other = _random.Next(i + 1);
            (options[i], options[other]) = (options[other], options[i]);
        }

        string operands = _words.Pick(command.Operands);
        _words.AreNodes = options.Contains("--image-opts");
        List<string> words = [command.Name];
        words.AddRange(options.Select(_words.Expand));
        words.Insert(_random.Next(8) == 0 && command.Name != "resize" ? 1 : words.Count, _words.Expand(operands));
        if (_random.Next(25) == 0)
        {
            Slip(words);
        }

        return string.Join(' ', words);
    }

    private void Slip(List<string> words)
    {
        switch (_random.Next(6))
        {
            case 0: words.RemoveAt(words.Count - 1); break;
            case 1: words.Add(_words.Expand("{image}")); break;
            case 2: words.Insert(_random.Next(1, words.Count + 1), _words.Pick(["-Z", "--foo", "--", "-", "-qZ", "--out", "--output", "-f", "-o", "--object", "--help=3", "--image-opts=x", "-x3"])); break;
            case 3: words[^1] = words[^1].Split(' ')[0]; break;
            case 4: words.Insert(1, words[^1]); break;
            default: words.RemoveAt(0); break;
        }
    }
}
