// SPDX-License-Identifier: MIT
// A progress bar with rate and time left on standard error; nothing where that is no terminal.
// Spectre.Console is loaded only when a bar is drawn, so that short commands start fast.
using System.Globalization;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace CatsOnnx.Cli.Terminal;

internal static class ProgressBar
{
    /// <summary>Whether a bar would be seen.</summary>
    public static bool IsShown { get; } = !Console.IsErrorRedirected
        && !string.Equals(Environment.GetEnvironmentVariable("TERM"), "dumb", StringComparison.Ordinal);

    /// <summary>Runs work that reports how much of how much is done.</summary>
    /// <param name="what">What is being done, as a person would say it.</param>
    /// <param name="unit">What is counted: "tokens", "MB".</param>
    /// <param name="unitSize">How many reported steps are one unit (1e6 for bytes shown as MB).</param>
    public static T Run<T>(string what, string unit, double unitSize, Func<IProgress<WorkDone>?, T> work) =>
        IsShown ? RunShown(what, unit, unitSize, work) : work(null);

    private static T RunShown<T>(string what, string unit, double unitSize, Func<IProgress<WorkDone>?, T> work)
    {
        bool colours = string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(Console.Error),
            ColorSystem = colours ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
        });
        ProgressColumn[] columns =
        [
            new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RateColumn(unit, unitSize), new RemainingTimeColumn(),
        ];
        return console.Progress().AutoClear(true).Columns(columns).Start(context =>
        {
            ProgressTask task = context.AddTask(Markup.Escape(what));
            return work(new TaskProgress(task));
        });
    }

    private sealed class TaskProgress(ProgressTask task) : IProgress<WorkDone>
    {
        public void Report(WorkDone value)
        {
            task.MaxValue = Math.Max(1, value.Total);
            task.Value = value.Done;
        }
    }

    private sealed class RateColumn(string unit, double unitSize) : ProgressColumn
    {
        public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime)
        {
            double? rate = task.Speed / unitSize;
            return new Spectre.Console.Text(rate is { } value ? string.Create(CultureInfo.InvariantCulture, $"{value,7:0} {unit}/s") : "");
        }
    }
}
