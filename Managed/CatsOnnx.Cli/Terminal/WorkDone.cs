// SPDX-License-Identifier: MIT
// How much of a piece of work is done.
namespace CatsOnnx.Cli.Terminal;

/// <param name="Done">Steps done.</param>
/// <param name="Total">Steps in all.</param>
internal readonly record struct WorkDone(long Done, long Total);
