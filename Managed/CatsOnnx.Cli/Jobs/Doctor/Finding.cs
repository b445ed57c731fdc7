// SPDX-License-Identifier: MIT
// One thing that cats doctor looked at: how it stands and, where it is a problem, what to do.
using System.Text.Json.Nodes;

namespace CatsOnnx.Cli.Jobs.Doctor;

internal enum FindingLevel
{
    /// <summary>As it should be.</summary>
    Ok,

    /// <summary>Worth knowing; nothing is broken.</summary>
    Note,

    /// <summary>Something does not work.</summary>
    Problem,
}

/// <param name="Level">How it stands.</param>
/// <param name="What">What was looked at.</param>
/// <param name="Found">What was found.</param>
/// <param name="Todo">What to do; never null for a problem.</param>
internal sealed record Finding(FindingLevel Level, string What, string Found, string? Todo)
{
    /// <summary>"ok", "note" or "problem".</summary>
    public string LevelName => Level.ToString().ToLowerInvariant();

    public JsonObject ToJson() => new() { ["level"] = LevelName, ["what"] = What, ["found"] = Found, ["todo"] = Todo };
}
