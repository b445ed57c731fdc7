// SPDX-License-Identifier: MIT
// A command line that parses and still makes no sense: exit code 1.
namespace CatsOnnx.Cli.Terminal;

internal sealed class UsageException(string message) : Exception(message);
