// SPDX-License-Identifier: MIT
// The tokens that may come next, with their logits: memory that one sampler uses again for every token.
using System.Numerics.Tensors;

namespace CatsOnnx.Sampling;

/// <summary>Tokens and logits; at first all, token i at place i.</summary>
internal sealed class Candidates
{
    private float[] _logits = [];
    private float[] _weights = [];
    private int[] _ids = [];
    private int _count;
    private int _moved; // places that cutting wrote to: only these hold other ids than their own

    public ReadOnlySpan<int> Ids => _ids.AsSpan(0, _count);

    public Span<float> Logits => _logits.AsSpan(0, _count);

    /// <summary>Takes a model's logits.</summary>
    /// <exception cref="InvalidDataException">A logit is NaN: the model's numbers have broken down.</exception>
    public void Load(ReadOnlySpan<float> logits)
    {
        if (_logits.Length != logits.Length)
        {
            _logits = new float[logits.Length];
            _weights = new float[logits.Length];
            _ids = new int[logits.Length];
            _moved = logits.Length;
        }

        for (int i = 0; i < _moved; i++)
        {
            _ids[i] = i;
        }

        _moved = 0;
        _count = logits.Length;
        logits.CopyTo(_logits);
        int best = TensorPrimitives.IndexOfMax(logits);
        if (best < 0 || float.IsNaN(logits[best]))
        {
            throw Greedy.NotANumber(best);
        }
    }

    /// <summary>The first of the likeliest tokens.</summary>
    public int Best()
    {
        int best = 0;
        for (int i = 1; i < _count; i++)
        {
            if (_logits[i] > _logits[best] || (_logits[i] == _logits[best] && _ids[i] < _ids[best]))
            {
                best = i;
            }
        }

        return _ids[best];
    }

    /// <summary>Keeps the candidates whose logit is not below <paramref name="least"/>, in their order.</summary>
    public void KeepFrom(float least)
    {
        int kept = 0;
        for (int i = 0; i < _count; i++)
        {
            if (_logits[i] >= least)
            {
                _logits[kept] = _logits[i];
                _ids[kept++] = _ids[i];
            }
        }

        _moved = Math.Max(_moved, kept);
        _count = kept;
    }

    /// <summary>Sorts the candidates, the likeliest first, the lower id first of equals.</summary>
    public void Sort()
    {
        _moved = Math.Max(_moved, _count);
        Logits.Sort(_ids.AsSpan(0, _count), static (a, b) => b.CompareTo(a));
        int start = 0;
        while (start < _count)
        {
            int end = start + 1;
            while (end < _count && _logits[end] == _logits[start])
            {
                end++;
            }

            _ids.AsSpan(start, end - start).Sort();
            start = end;
        }
    }

    /// <summary>Keeps the first candidates.</summary>
    public void KeepFirst(int count) => _count = count;

    /// <summary>What each candidate's probability is in proportion to the likeliest one's: 1 for that one.</summary>
    /// <param name="sum">Their sum.</param>
    /// <returns>[candidates]; holds until the next call.</returns>
    public ReadOnlySpan<float> Weights(out double sum)
    {
        Span<float> weights = _weights.AsSpan(0, _count);
        float highest = TensorPrimitives.Max<float>(Logits);
        if (float.IsInfinity(highest))
        {
            // Infinity minus infinity is no number: only the infinite ones can come, all of them alike.
            for (int i = 0; i < _count; i++)
            {
                weights[i] = _logits[i] == highest ? 1 : 0;
            }
        }
        else
        {
            TensorPrimitives.Subtract(Logits, highest, weights);
            TensorPrimitives.Exp<float>(weights, weights);
        }

        sum = 0;
        foreach (float weight in weights)
        {
            sum += weight;
        }

        return weights;
    }

    /// <summary>The token at a place of the cumulated probabilities.</summary>
    /// <param name="uniform">0 or more, below 1.</param>
    public int Draw(double uniform)
    {
        ReadOnlySpan<float> weights = Weights(out double sum);
        double left = uniform * sum;
        int last = 0;
        for (int i = 0; i < weights.Length; i++)
        {
            if (weights[i] > 0)
            {
                last = i; // rounding may leave a rest after the last one
                left -= weights[i];
                if (left < 0)
                {
                    break;
                }
            }
        }

        return _ids[last];
    }
}
