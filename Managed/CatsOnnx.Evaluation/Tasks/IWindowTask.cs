// SPDX-License-Identifier: MIT
// What a task over windows of text has to do; one file in this folder per task.
namespace CatsOnnx.Evaluation.Tasks;

/// <summary>Gathers one kind of figure, batch after batch. An instance serves one evaluation.</summary>
public interface IWindowTask
{
    /// <summary>Takes in a batch. Batches come in the order of the text, so sums are the same each time.</summary>
    /// <param name="batch">Logits are valid during the call only.</param>
    void Observe(WindowBatch batch);

    /// <summary>Adds what was found to a result.</summary>
    /// <param name="result">What other tasks found so far.</param>
    EvaluationResult Report(EvaluationResult result);
}
