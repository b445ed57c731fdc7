// SPDX-License-Identifier: MIT
// One rule of a chain of samplers.
namespace CatsOnnx.Sampling;

/// <summary>Changes logits, or takes candidates away; at least one stays.</summary>
internal interface ISamplingRule
{
    void Apply(Candidates candidates, TokenHistory history);
}

/// <summary>A rule that looks at the tokens so far. Such rules come before those that take candidates away, so that token i
/// is candidate i.</summary>
internal interface IPenalty : ISamplingRule
{
}
