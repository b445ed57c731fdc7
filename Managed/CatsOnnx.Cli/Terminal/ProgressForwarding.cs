// SPDX-License-Identifier: MIT
// Shows bytes written and tokens read on the progress bar.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.Text;

namespace CatsOnnx.Cli.Terminal;

internal static class ProgressForwarding
{
    public static IProgress<SaveProgress>? For(IProgress<WorkDone>? bar) =>
        bar is null ? null : new Forward<SaveProgress>(value => bar.Report(new WorkDone(value.Written, value.Total)));

    public static IProgress<TokenProgress>? ForTokens(IProgress<WorkDone>? bar) =>
        bar is null ? null : new Forward<TokenProgress>(value => bar.Report(new WorkDone(value.Done, value.Total)));

    // Progress<T> of the runtime posts to the thread pool, so that reports may come late and out of order.
    private sealed class Forward<T>(Action<T> report) : IProgress<T>
    {
        public void Report(T value) => report(value);
    }
}
