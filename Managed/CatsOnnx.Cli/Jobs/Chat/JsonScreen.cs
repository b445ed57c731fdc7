// SPDX-License-Identifier: MIT
// A conversation for a program: plain lines in, JSON out, one object a line as soon as it is known. A message gives an answer or
// {"error": ...}; a command gives {"note": ...} for each line that it says.
using System.Text.Json.Nodes;
using CatsOnnx.Cli.Terminal;

namespace CatsOnnx.Cli.Jobs.Chat;

internal sealed class JsonScreen : ChatScreen
{
    private readonly ToolOutput _output;

    public JsonScreen(ToolOutput output)
    {
        _output = output;
        output.JsonLines = true;
    }

    public override void Welcome(string text)
    {
    }

    public override string? Ask() => Console.In.ReadLine();

    public override void Piece(string text)
    {
    }

    public override void EndAnswer(ChatAnswer answer) => _output.Result(answer.ToJson());

    public override void Say(string text) => _output.Result(new JsonObject { ["note"] = text });

    public override void Complain(string text) => _output.Result(new JsonObject { ["error"] = text });

    public override void Leave()
    {
    }
}
