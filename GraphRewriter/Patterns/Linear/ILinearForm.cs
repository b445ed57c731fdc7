// SPDX-License-Identifier: MIT
// One way of writing a projection.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;

namespace CatsOnnx.GraphRewriter.Patterns.Linear;

/// <summary>Recognises one form of a projection.</summary>
internal interface ILinearForm
{
    /// <summary>The form's name in reports.</summary>
    string Name { get; }

    /// <summary>Looks at a value that no bias, cast or reshape hides.</summary>
    /// <param name="output">The value.</param>
    /// <param name="context">Its graph.</param>
    MatchResult<LinearMatch> Match(GraphValue output, MatchContext context);
}
