using Spectre.Console;
using Spectre.Console.Rendering;

namespace ImageCluster.Cli.Progress;

/// <summary>A line of markup that takes the place of whatever stood in its line of the terminal.</summary>
internal sealed class ClearedLine(string markup) : Renderable
{
    private const string EraseLine = "\e[2K";

    protected override IEnumerable<Segment> Render(RenderOptions options, int maxWidth)
    {
        yield return Segment.Control(EraseLine);
        foreach (Segment segment in ((IRenderable)new Markup(markup)).Render(options, maxWidth))
        {
            // A long reason runs over several lines, each of which covers another of the frame's.
            yield return segment;
            if (segment.IsLineBreak)
            {
                yield return Segment.Control(EraseLine);
            }
        }

        yield return Segment.LineBreak;
    }
}
