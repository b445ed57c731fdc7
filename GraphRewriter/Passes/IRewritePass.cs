// SPDX-License-Identifier: MIT
// One step of a rewrite.
namespace CatsOnnx.GraphRewriter.Passes;

/// <summary>Edits a graph.</summary>
internal interface IRewritePass
{
    /// <summary>What the graph must be before, in a few words.</summary>
    string Requires { get; }

    /// <summary>What it is after, in a few words.</summary>
    string Ensures { get; }

    /// <summary>Does the step.</summary>
    /// <param name="context">The model.</param>
    void Run(PassContext context);
}
