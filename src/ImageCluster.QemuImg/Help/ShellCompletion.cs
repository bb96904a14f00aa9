using ImageCluster.Imaging.Formats;
using ImageCluster.QemuImg.CommandLine;

namespace ImageCluster.QemuImg.Help;

/// <summary>Completion scripts for bash, zsh and fish, made from the command table.</summary>
internal static class ShellCompletion
{
    public static void WriteBash(TextWriter output)
    {
        output.Write("# bash completion for qemu-img; use: source <(qemu-img completion bash)\n");
        output.Write("_qemu_img() {\n");
        output.Write("  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]-}\n");
        output.Write("  COMPREPLY=()\n");
        output.Write("  if [ \"$COMP_CWORD\" -eq 1 ]; then\n");
        output.Write($"    COMPREPLY=($(compgen -W \"{string.Join(' ', CommandTable.All.Select(static c => c.Name))} --help --version\" -- \"$word\"))\n");
        output.Write("    return\n  fi\n");
        output.Write("  [ \"$previous\" = \"=\" ] && previous=${COMP_WORDS[COMP_CWORD-2]}\n");
        output.Write("  [ \"$word\" = \"=\" ] && word=\n");
        output.Write("  case \"$command $previous\" in\n");
        foreach (CommandSpec command in CommandTable.All)
        {
            foreach (OptionSpec option in command.Options.Where(static o => Words(o) is not null))
            {
                string patterns = string.Join('|', Spellings(option).Select(s => $"\"{command.Name} {s}\""));
                output.Write($"    {patterns}) COMPREPLY=($(compgen -W \"{Words(option)}\" -- \"$word\")); return ;;\n");
            }
        }

        output.Write("  esac\n");
        output.Write("  case \"$word\" in -*)\n    case \"$command\" in\n");
        foreach (CommandSpec command in CommandTable.All)
        {
            output.Write($"      {command.Name}) COMPREPLY=($(compgen -W \"{string.Join(' ', command.Options.SelectMany(Spellings))}\" -- \"$word\")) ;;\n");
        }

        output.Write("    esac\n    return ;;\n  esac\n");
        output.Write("  COMPREPLY=($(compgen -f -- \"$word\"))\n}\n");
        output.Write("complete -o filenames -F _qemu_img qemu-img\n");
    }

    public static void WriteZsh(TextWriter output)
    {
        output.Write("#compdef qemu-img\n# zsh completion for qemu-img; use: source <(qemu-img completion zsh)\n");
        output.Write("_qemu_img() {\n  local -a commands\n  commands=(\n");
        foreach (CommandSpec command in CommandTable.All)
        {
            output.Write($"    '{command.Name}:{Quoted(command.Summary)}'\n");
        }

        output.Write("  )\n  if (( CURRENT == 2 )); then _describe command commands; return; fi\n");
        output.Write("  local command=$words[2]\n  shift words; (( CURRENT-- ))\n  case $command in\n");
        foreach (CommandSpec command in CommandTable.All)
        {
            output.Write($"    {command.Name}) _arguments -s -S");
            foreach (OptionSpec option in command.Options)
            {
                foreach (string spelling in Spellings(option))
                {
                    output.Write($" \\\n      '*{spelling}{ZshJoint(option, spelling)}[{Quoted(option.Help)}]{ZshArgument(option)}'");
                }
            }

            output.Write(" \\\n      '*:file:_files' ;;\n");
        }

        output.Write("  esac\n}\nif [ \"$funcstack[1]\" = _qemu_img ]; then _qemu_img; else compdef _qemu_img qemu-img; fi\n");
    }

    public static void WriteFish(TextWriter output)
    {
        output.Write("# fish completion for qemu-img; use: qemu-img completion fish | source\n");
        foreach (CommandSpec command in CommandTable.All)
        {
            output.Write($"complete -c qemu-img -n __fish_use_subcommand -x -a {command.Name} -d '{FishQuoted(command.Summary)}'\n");
            foreach (OptionSpec option in command.Options)
            {
                string letter = option.Short == '\0' ? "" : $" -s {option.Short}";
                string name = option.Long is null ? "" : $" -l {option.Long}";
                string argument = option.Argument is null ? "" : Words(option) is { } words ? $" -x -a '{words}'" : " -r";
                output.Write($"complete -c qemu-img -n '__fish_seen_subcommand_from {command.Name}'{letter}{name}{argument} -d '{FishQuoted(option.Help)}'\n");
            }
        }
    }

    private static IEnumerable<string> Spellings(OptionSpec option)
    {
        if (option.Short != '\0')
        {
            yield return $"-{option.Short}";
        }

        if (option.Long is not null)
        {
            yield return $"--{option.Long}";
        }
    }

    // The values to offer for an option's argument; null where there is no list.
    private static string? Words(OptionSpec option) =>
        option.IsFormat ? string.Join(' ', FormatRegistry.All.Select(static f => f.Name).Order(StringComparer.Ordinal))
        : option.Values.Count > 0 ? string.Join(' ', option.Values)
        : null;

    private static string ZshJoint(OptionSpec option, string spelling) =>
        option.Argument is null ? "" : spelling.StartsWith("--", StringComparison.Ordinal) ? "=" : "+";

    private static string ZshArgument(OptionSpec option) =>
        option.Argument is null ? ""
        : Words(option) is { } words ? $":value:({words})"
        : option.IsFile ? ":file:_files"
        : ":value:";

    private static string FishQuoted(string text) => text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal);

    // Of zsh, whose descriptions end at a colon.
    private static string Quoted(string text) => text.Replace("'", "'\\''", StringComparison.Ordinal).Replace(":", "\\:", StringComparison.Ordinal);
}
