// SPDX-License-Identifier: MIT
// The entry point of `cats`: parses, runs one verb, turns every outcome into one of the exit codes.
using CatsOnnx.Cli;

return await Tool.RunAsync(args);
