// SPDX-License-Identifier: MIT
// An input that can be read and cannot be used: exit code 2.
namespace CatsOnnx.Cli.Terminal;

internal sealed class UnsuitableInputException(string message) : Exception(message);
