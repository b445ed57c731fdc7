// SPDX-License-Identifier: MIT
// One way of writing SiLU.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns.Silu;

/// <summary>SiLU: Output = Gate * sigmoid(Gate).</summary>
/// <param name="Form">The form's name.</param>
/// <param name="Gate">The value before the activation.</param>
/// <param name="Nodes">The nodes that compute it.</param>
internal sealed record SiluMatch(string Form, GraphValue Gate, IReadOnlyList<NodeProto> Nodes);

/// <summary>Recognises one form of SiLU.</summary>
internal interface ISiluForm
{
    /// <summary>The form's name in reports.</summary>
    string Name { get; }

    /// <summary>Looks at a value.</summary>
    /// <param name="output">The value.</param>
    /// <param name="context">Its graph.</param>
    MatchResult<SiluMatch> Match(GraphValue output, MatchContext context);
}
