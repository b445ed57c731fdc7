// SPDX-License-Identifier: MIT
// The list of tasks that read windows: a new task is a file in this folder and a line here.
namespace CatsOnnx.Evaluation.Tasks;

/// <summary>The tasks of an evaluation.</summary>
public static class TaskCatalog
{
    /// <summary>New instances of all window tasks, for one model.</summary>
    /// <param name="intermediateSizes">[layers]: the neurons of each layer whose active neurons are counted.</param>
    public static IWindowTask[] Make(IReadOnlyList<int> intermediateSizes) =>
    [
        new PerplexityTask(),
        new NextTokenTask(),
        new SparsityTask(intermediateSizes),
        new DivergenceTask(),
    ];
}
