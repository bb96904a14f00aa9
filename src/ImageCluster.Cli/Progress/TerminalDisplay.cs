using Spectre.Console;

namespace ImageCluster.Cli.Progress;

/// <summary>
/// For people: images that have ended scroll by as lines; below them the running ones and the total, redrawn in place, with bars, rates and the
/// time left.
/// </summary>
internal sealed class TerminalDisplay(IAnsiConsole console) : IProgressDisplay
{
    private static readonly TimeSpan Frame = TimeSpan.FromMilliseconds(150);

    private readonly ProgressPicture _picture = new(console.Profile.Capabilities.Unicode);

    public Task Follow(ProgressBoard board, Func<Task> start)
    {
        Queue<string> lines = new();
        void OnStage(ImageProgress image)
        {
            // Images that were not begun are in the table at the end.
            if (image.HasEnded && (image.HasStarted || image.Stage != ImageStage.Interrupted))
            {
                Add(_picture.EndedLine(image, board.Time, console.Profile.Width - 1));
            }
        }

        void OnNote(string line) => Add($"  {Markup.Escape(line)}");

        void Add(string line)
        {
            lock (lines)
            {
                lines.Enqueue(line);
            }
        }

        board.StageChanged += OnStage;
        board.Noted += OnNote;
        try
        {
            Task work = start();
            console.Live(new Text("")).AutoClear(true).Overflow(VerticalOverflow.Ellipsis).Start(live =>
            {
                do
                {
                    Print(lines);
                    live.UpdateTarget(_picture.Draw(board, console.Profile.Width, console.Profile.Height));
                    live.Refresh();
                }
                while (!PlainDisplay.Ended(work, Frame));
            });
            Print(lines);
            return work;
        }
        finally
        {
            board.StageChanged -= OnStage;
            board.Noted -= OnNote;
        }
    }

    // Written from this thread only, so that a line never meets a frame.
    private void Print(Queue<string> lines)
    {
        while (true)
        {
            string line;
            lock (lines)
            {
                if (!lines.TryDequeue(out line!))
                {
                    return;
                }
            }

            console.Write(new ClearedLine(line));
        }
    }
}
