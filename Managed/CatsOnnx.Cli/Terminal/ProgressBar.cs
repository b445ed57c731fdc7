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

    /// <summary>Runs work that cannot say how much of it is done, such as opening a model; shows how long it has taken.</summary>
    public static T Wait<T>(string what, Func<T> work) =>
        IsShown ? Show(what, _ => work(), new TaskDescriptionColumn(), new ProgressBarColumn(), new ElapsedTimeColumn()) : work();

    /// <summary>Says that a bar's work has gone on to a part that cannot say how much of it is done.</summary>
    /// <param name="bar">What <see cref="Run{T}"/> gave to the work.</param>
    /// <param name="what">What is being done now.</param>
    public static void Next(IProgress<WorkDone>? bar, string what) => (bar as TaskProgress)?.Next(what);

    private static T RunShown<T>(string what, string unit, double unitSize, Func<IProgress<WorkDone>?, T> work) => Show(
        what,
        task => work(new TaskProgress(task)),
        new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RateColumn(unit, unitSize), new RemainingTimeColumn());

    private static T Show<T>(string what, Func<ProgressTask, T> work, params ProgressColumn[] columns)
    {
        bool colours = string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(Console.Error),
            Interactive = InteractionSupport.Yes, // it would look at standard input too: a redirected one hid the bar
            ColorSystem = colours ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
        });
        return console.Progress().AutoClear(true).Columns(columns).Start(context =>
        {
            ProgressTask task = context.AddTask(Markup.Escape(what));
            task.IsIndeterminate = true; // until the work says how much it is
            return work(task);
        });
    }

    private sealed class TaskProgress(ProgressTask task) : IProgress<WorkDone>
    {
        public void Report(WorkDone value)
        {
            task.IsIndeterminate = false;
            task.MaxValue = Math.Max(1, value.Total);
            task.Value = value.Done;
        }

        public void Next(string what)
        {
            task.Description = Markup.Escape(what);
            task.IsIndeterminate = true;
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
