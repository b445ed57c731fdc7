// SPDX-License-Identifier: MIT
// Every failure ends here: one line that names the thing, the exit code, and the stack trace only where it is asked for.
using System.Text.Json.Nodes;

namespace CatsOnnx.Cli.Terminal;

internal static class ErrorFunnel
{
    private const string DebugVariable = "CATS_DEBUG";

    /// <summary>Whether stack traces and ONNX Runtime's own log were asked for.</summary>
    public static bool IsDebugging => Environment.GetEnvironmentVariable(DebugVariable) == "1";

    /// <summary>Writes the error and returns the exit code that belongs to it.</summary>
    public static int Report(Exception exception, ToolOutput output)
    {
        Exception cause = exception is AggregateException { InnerExceptions.Count: 1 } or TypeInitializationException
            ? exception.InnerException ?? exception
            : exception;
        int exitCode = cause switch
        {
            UsageException => ExitCode.WrongUse,
            OperationCanceledException => ExitCode.Interrupted,
            _ => ExitCode.BadInput,
        };
        string message = OneLine(Describe(cause));
        Console.Error.WriteLine($"error: {message}");
        if (IsDebugging)
        {
            Console.Error.WriteLine(exception);
        }

        output.Result(new JsonObject { ["error"] = message, ["exit_code"] = exitCode });
        return exitCode;
    }

    private static string Describe(Exception cause) => cause switch
    {
        OperationCanceledException => "interrupted; nothing half done was left behind.",
        OutOfMemoryException => "the memory of this machine does not suffice. " + cause.Message,
        // What the runtime makes of EFBIG; it names neither the file nor the cause.
        ArgumentOutOfRangeException { ParamName: "value" } when cause.Message.Contains("file length", StringComparison.Ordinal) =>
            "the output cannot be written: a file would pass the largest size that the disk or a limit (ulimit -f) allows.",
        // A fault of the tool, not of the input: say so, and how to see more.
        NullReferenceException or IndexOutOfRangeException or InvalidCastException or KeyNotFoundException =>
            $"the tool failed: {cause.Message} ({cause.GetType().Name}). {DebugVariable}=1 shows where; please report it.",
        // What the runtime adds for the program that called, not for a person.
        ArgumentException { ParamName: { } parameter } => cause.Message.Replace($" (Parameter '{parameter}')", "", StringComparison.Ordinal),
        _ => cause.Message,
    };

    private static string OneLine(string text) =>
        string.Join(' ', text.Split(['\r', '\n', '\t'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
}
