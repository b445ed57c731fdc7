// SPDX-License-Identifier: MIT
// What the tool's exit codes mean; the README and every verb's help rely on them.
namespace CatsOnnx.Cli.Terminal;

internal static class ExitCode
{
    /// <summary>Done.</summary>
    public const int Done = 0;

    /// <summary>The command line is wrong.</summary>
    public const int WrongUse = 1;

    /// <summary>An input is missing, broken or not suitable, or the machine refused (disk full, no permission).</summary>
    public const int BadInput = 2;

    /// <summary>The work was done, and a limit that was asked for was passed.</summary>
    public const int LimitPassed = 3;

    /// <summary>Ended by Ctrl+C (128 + SIGINT, as shells have it).</summary>
    public const int Interrupted = 130;
}
