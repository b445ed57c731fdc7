// SPDX-License-Identifier: MIT
// The part of TokenGenerator that says what a model cannot do of scales and probes.
using CatsOnnx.Session;

namespace CatsOnnx.Generation;

public sealed partial class TokenGenerator
{
    private void CheckDial(GenerationOptions options)
    {
        if (Session.Signature.ThresholdScale is null)
        {
            string? given = options.ThresholdScale is not null ? "A threshold scale"
                : options.PrefillThresholdScale is not null ? "A threshold scale of prefill"
                : options.DenseProbeEvery > 0 ? $"{nameof(options.DenseProbeEvery)} = {options.DenseProbeEvery}"
                : null;
            if (given is not null)
            {
                throw new ArgumentException(
                    $"{given} was given, but '{Session.Folder.ModelPath}' has no {ModelSignature.ThresholdScaleName}: it is no rewritten model.", nameof(options));
            }
        }

        ThresholdScales scales = ThresholdScales.Of(options);
        if (!scales.AreOne && !Session.Signature.HasCache)
        {
            throw new ArgumentException(
                $"{scales} was given, but '{Session.Folder.ModelPath}' has no cache: every token runs the prompt again, so that both must be equal.", nameof(options));
        }
    }
}
