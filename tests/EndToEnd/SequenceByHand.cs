// SPDX-License-Identifier: MIT
// A sequence run forward by plain runs of the session, each with its keys and values copied: what generation is compared with.
using CatsOnnx.Sampling;
using CatsOnnx.Session;
using CatsOnnx.Text;

namespace CatsOnnx.Tests.EndToEnd;

/// <summary>Runs one sequence of a model with a cache and float32 logits.</summary>
/// <param name="session">The model.</param>
internal sealed class SequenceByHand(ModelSession session) : IDisposable
{
    private readonly SequenceRunner _runner = new(session);
    private SequencePast? _past;

    public void Dispose() => _past?.Dispose();

    /// <summary>The logits [vocabulary] after the last token.</summary>
    /// <param name="ids">The next tokens.</param>
    /// <param name="scale">The threshold scale of this run.</param>
    /// <param name="stays">Whether the tokens become part of the sequence.</param>
    public float[] Run(int[] ids, float scale, bool stays = true)
    {
        ModelSignature signature = session.Signature;
        using SequenceOutput output = _runner.Run(ids, 1, [signature.Logits, .. SequencePast.OutputsOf(signature)], scale, _past);
        if (stays)
        {
            SequencePast past = SequencePast.Of(signature, output, 0);
            _past?.Dispose();
            _past = past;
        }

        return output[signature.Logits].GetTensorDataAsSpan<float>()[^signature.VocabSize..].ToArray();
    }

    /// <summary>Runs a prompt and greedy steps with a scale each.</summary>
    public static int[] Generate(ModelSession session, int[] prompt, float prefill, float decode, int tokens)
    {
        using SequenceByHand sequence = new(session);
        List<int> ids = [Greedy.Instance.Sample(sequence.Run(prompt, prefill))];
        while (ids.Count < tokens)
        {
            ids.Add(Greedy.Instance.Sample(sequence.Run([ids[^1]], decode)));
        }

        return [.. ids];
    }
}
