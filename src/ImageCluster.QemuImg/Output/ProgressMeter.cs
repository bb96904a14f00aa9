using System.Runtime.InteropServices;
using ImageCluster.QemuImg.CommandLine;

namespace ImageCluster.QemuImg.Output;

/// <summary>
/// Progress as qemu-img shows it: with <c>-p</c> a percentage that overwrites itself on standard output; without, one line on standard
/// error for each SIGUSR1 (or SIGINFO where there is one). Thread-safe.
/// </summary>
internal sealed class ProgressMeter : IDisposable
{
    private const int SigUsr1 = 10;

    private readonly Lock _gate = new();
    private readonly TextWriter _output;
    private readonly TextWriter _errors;
    private readonly bool _enabled;
    private readonly double _step;
    private readonly PosixSignalRegistration? _signal;
    private double _percent;
    private double _printed;
    private bool _asked;
    private bool _ended;

    /// <param name="enabled"><c>-p</c> was given.</param>
    /// <param name="step">Percentage points between two prints.</param>
    /// <param name="starts">Shows 0 per cent at once; the first report does so otherwise.</param>
    public ProgressMeter(TextWriter output, TextWriter errors, bool enabled, double step, bool starts = true)
    {
        (_output, _errors, _enabled, _step) = (output, errors, enabled, step);
        _signal = Listen();
        if (starts)
        {
            Report(0);
        }
    }

    /// <summary>Says how far the work is, in per cent.</summary>
    public void Report(double percent)
    {
        lock (_gate)
        {
            _percent = Math.Min(percent, 100);
            if (_percent > _printed + _step || _percent < _printed - _step || _percent is 100 or 0)
            {
                _printed = _percent;
                Print();
            }
            else if (_asked)
            {
                Print();
            }
        }
    }

    /// <summary>Says that <paramref name="part"/> of <paramref name="whole"/> is done.</summary>
    public void Report(long part, long whole) => Report(whole == 0 ? 100 : 100.0 * part / whole);

    /// <summary>Ends the line, before something else is printed.</summary>
    public void End()
    {
        if (_enabled && !_ended)
        {
            _output.Write('\n');
        }

        _ended = true;
    }

    public void Dispose()
    {
        _signal?.Dispose();
        End();
    }

    private void Print()
    {
        if (_enabled)
        {
            _output.Write($"    ({CNumber.Fixed(_percent, 2)}/100%)\r");
            _output.Flush();
        }
        else if (_asked)
        {
            _errors.Write($"    ({CNumber.Fixed(_percent, 2)}/100%)\n");
        }

        _asked = false;
    }

    private PosixSignalRegistration? Listen()
    {
        if (!OperatingSystem.IsLinux())
        {
            return null;
        }

        QuietSignals.AllowUsr1();
        return PosixSignalRegistration.Create((PosixSignal)SigUsr1, context =>
        {
            context.Cancel = true;
            lock (_gate)
            {
                _asked = !_enabled;
            }
        });
    }
}
