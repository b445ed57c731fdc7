// SPDX-License-Identifier: MIT
// --threshold-scale, --prefill-threshold-scale and --dense-probe-every, of the verbs that generate text.
using System.CommandLine;
using CatsOnnx.Generation;

namespace CatsOnnx.Cli.Commands;

internal sealed class DialOptions
{
    private readonly Option<double?> _scale;
    private readonly Option<double?> _prefill = Arguments.Limit("--prefill-threshold-scale", "The same for the run of the prompt: 0 is dense; default: as --threshold-scale");
    private readonly Option<int?> _probes = Arguments.AtLeast(
        "--dense-probe-every", "Compare every N-th token with the dense model's (KL, most likely token); 0, the default: never", 0);

    /// <summary>Adds them to a verb.</summary>
    /// <param name="command">The verb.</param>
    /// <param name="scale">What it says of --threshold-scale.</param>
    public DialOptions(Command command, string scale)
    {
        _scale = Arguments.Limit("--threshold-scale", scale);
        command.Add(_scale);
        command.Add(_prefill);
        command.Add(_probes);
    }

    /// <summary>Options of a request with what was given.</summary>
    public GenerationOptions Read(ParseResult parsed) => new()
    {
        ThresholdScale = (float?)parsed.GetValue(_scale),
        PrefillThresholdScale = (float?)parsed.GetValue(_prefill),
        DenseProbeEvery = parsed.GetValue(_probes) ?? 0,
    };
}
