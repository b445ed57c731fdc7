// SPDX-License-Identifier: MIT
// For graphs without a cache: every step runs the whole sequence again.
using CatsOnnx.Session;

namespace CatsOnnx.Generation;

/// <summary>Runs all tokens so far as one window.</summary>
internal sealed class RecomputeStep : DecodeStep
{
    private readonly WindowRunner _runner;
    private readonly List<int> _ids = [];
    private WindowOutput? _output;
    private float? _scale;

    public RecomputeStep(ModelSession session) => _runner = new WindowRunner(session);

    public override void Begin(int capacity, float? thresholdScale)
    {
        _ids.Clear();
        _ids.EnsureCapacity(capacity);
        _scale = thresholdScale;
        MayRunAhead = true;
    }

    public override void SetScale(float? thresholdScale) => _scale = thresholdScale;

    // There is no cache: the tokens before are run with the other scale too.
    public override ReadOnlySpan<float> Peek(int id, float thresholdScale, CancellationToken cancellationToken)
    {
        _ids.Add(id);
        try
        {
            return _runner.Run(Ids(), thresholdScale, cancellationToken).LogitsAt(_ids.Count - 1);
        }
        finally
        {
            _ids.RemoveAt(_ids.Count - 1);
        }
    }

    public override ReadOnlySpan<float> Run(ReadOnlySpan<int> ids, CancellationToken cancellationToken)
    {
        _ids.AddRange(ids);
        long before = _runner.RunTicks;
        _output = _runner.Run(Ids(), _scale, cancellationToken);
        RunTicks += _runner.RunTicks - before;
        return _output.LogitsAt(_ids.Count - 1);
    }

    public override void CountActive(ActiveCounter counter)
    {
        foreach (string name in counter.Outputs)
        {
            counter.Add(name, _output!.Extra<int>(name)[^1..]); // of the last token
        }
    }

    public override void Dispose() => _runner.Dispose();

    private Span<int> Ids() => System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_ids);
}
