// SPDX-License-Identifier: MIT
// Where a verb was asked to run a model.
using CatsOnnx.Session;

namespace CatsOnnx.Cli.Jobs;

/// <param name="Device">The CPU or a GPU.</param>
/// <param name="Strict">Whether no node may run elsewhere.</param>
internal sealed record Placement(Device Device, bool Strict = false)
{
    public static Placement Cpu { get; } = new(Device.Cpu);
}
