// SPDX-License-Identifier: MIT
// How the tool opens sessions: ONNX Runtime is silent, because its errors come back as exceptions and are said once.
using CatsOnnx.Cli.Terminal;
using CatsOnnx.Session;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Cli.Jobs;

internal static class Sessions
{
    public static ModelSessionOptions Options { get; } = new()
    {
        Configure = options => options.LogSeverityLevel =
            ErrorFunnel.IsDebugging ? OrtLoggingLevel.ORT_LOGGING_LEVEL_WARNING : OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL,
    };
}
