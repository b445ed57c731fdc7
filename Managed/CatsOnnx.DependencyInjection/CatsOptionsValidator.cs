// SPDX-License-Identifier: MIT
// Checks the options before a model is opened, all of them at once.
using CatsOnnx.Generation;
using CatsOnnx.Session;
using CatsOnnx.Tokenization;
using Microsoft.Extensions.Options;

namespace CatsOnnx.DependencyInjection;

/// <summary>Says what is wrong with <see cref="CatsOptions"/>.</summary>
internal sealed class CatsOptionsValidator : IValidateOptions<CatsOptions>
{
    public ValidateOptionsResult Validate(string? name, CatsOptions options)
    {
        List<string> failures = [];
        if (string.IsNullOrEmpty(options.ModelPath))
        {
            failures.Add($"{nameof(options.ModelPath)} is missing: the folder of a model, or an .onnx file.");
        }
        else if (!Path.Exists(options.ModelPath))
        {
            failures.Add($"{nameof(options.ModelPath)}: there is no file or folder '{options.ModelPath}'.");
        }

        Try(nameof(options.Device), () => Device.Parse(options.Device));
        if (options.ChatTemplate is string template)
        {
            Try(nameof(options.ChatTemplate), () => ChatTemplate.Parse(template));
        }

        if (options.Threads < 0)
        {
            failures.Add($"{nameof(options.Threads)} is {options.Threads}; it must be 0 (ONNX Runtime chooses) or more.");
        }

        if (options.MaxOutputTokens < 1)
        {
            failures.Add($"{nameof(options.MaxOutputTokens)} is {options.MaxOutputTokens}; it must be 1 or more.");
        }

        CheckScale(nameof(options.ThresholdScale), options.ThresholdScale);
        CheckScale(nameof(options.PrefillThresholdScale), options.PrefillThresholdScale);
        if (options.DenseProbeEvery < 0)
        {
            failures.Add($"{nameof(options.DenseProbeEvery)} is {options.DenseProbeEvery}; it must be 0 (never) or more.");
        }

        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures.Select(failure => "CATS: " + failure));

        void CheckScale(string option, float? scale)
        {
            if (GenerationOptions.ThresholdScaleError(option, scale) is string error)
            {
                failures.Add(error);
            }
        }

        void Try(string option, Action read)
        {
            try
            {
                read();
            }
            catch (Exception error) when (error is ArgumentException or FormatException or NotSupportedException or InvalidDataException)
            {
                failures.Add($"{option}: {error.Message}");
            }
        }
    }
}
