// SPDX-License-Identifier: MIT
// cats chat with typed lines: answers, commands, the dial, what is kept between turns, Ctrl+C.
using System.Diagnostics;
using System.Text.Json;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.EndToEnd;

public sealed class CliChatTests : IClassFixture<CliRewriteTests.DemoRewrite>, IDisposable
{
    private const string Jinja = "{{ bos_token }}{% for message in messages %}{{ message.content }}\n{% endfor %}";
    private const string Line = "Once upon a time there was a young man who";

    private readonly CliRewriteTests.DemoRewrite _demo;
    private readonly TemporaryFolder _folder = new();
    private readonly string _template;

    public CliChatTests(CliRewriteTests.DemoRewrite demo)
    {
        _demo = demo;
        _template = _folder["template.jinja"];
        File.WriteAllText(_template, Jinja);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Raw_goes_on_from_a_line_as_generate_does()
    {
        string expected = CliTool.Run("generate", _demo.Output, "--prompt", Line, "--max-new-tokens", "30", "--json").Expect(0).Json.GetProperty("text").GetString()!;
        CliRun run = CliTool.RunWithInput([Line], "chat", _demo.Output, "--raw", "--max-new-tokens", "30").Expect(0);
        Assert.Equal(expected + "\n", run.Output);
        Assert.Contains("[30 tokens, ", run.Error, StringComparison.Ordinal);
        Assert.Contains("tokens/s, sparsity ", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_next_turn_runs_only_what_is_new_until_clear()
    {
        JsonElement[] answers = Answers([Line, "The old house", "/clear", Line], "--system", "A tale.");
        Assert.Equal(3, answers.Length);
        Assert.Equal(Line, answers[0].GetProperty("prompt").GetString());
        Assert.Equal(0, answers[0].GetProperty("cached_tokens").GetInt32());
        int first = answers[0].GetProperty("prompt_tokens").GetInt32();
        Assert.InRange(answers[1].GetProperty("cached_tokens").GetInt32(), first, answers[1].GetProperty("prompt_tokens").GetInt32() - 1);
        Assert.Equal(first, answers[2].GetProperty("prompt_tokens").GetInt32()); // the system message stays
        Assert.Equal(answers[0].GetProperty("text").GetString(), answers[2].GetProperty("text").GetString());
        Assert.True(first > Answers([Line])[0].GetProperty("prompt_tokens").GetInt32(), "the system message is no part of the prompt");
    }

    [Fact]
    public void The_dial_changes_the_sparsity_of_the_next_answers()
    {
        JsonElement[] answers = Answers(["/dial 0.5", Line, "/clear", "/dial 1", Line, "/clear", "/dial 3", Line, "/clear", "/dense", Line]);
        Assert.Equal([0.5, 1, 3, 0], answers.Select(answer => answer.GetProperty("threshold_scale").GetDouble()));
        double[] sparsity = [.. answers.Select(answer => answer.GetProperty("sparsity").GetDouble())];
        Assert.True(sparsity[0] > 0.1 && sparsity[1] > sparsity[0] + 0.05 && sparsity[2] > sparsity[1] + 0.05, string.Join(' ', sparsity));
        Assert.Equal(0, sparsity[3]);

        JsonElement unset = Answers([Line])[0];
        Assert.Equal(JsonValueKind.Null, unset.GetProperty("threshold_scale").ValueKind);
        Assert.Equal(sparsity[1], unset.GetProperty("sparsity").GetDouble());
        Assert.Equal(sparsity[2], Answers([Line], "--threshold-scale", "3")[0].GetProperty("sparsity").GetDouble());
    }

    [Fact]
    public void Prefill_and_probes_are_set_by_commands_and_options_alike()
    {
        JsonElement[] answers = Answers([Line, "/clear", "/prefill dense", "/probe 4", Line, "/clear", "/prefill sparse", "/probe 0", Line]);
        Assert.Equal([0, 7, 0], answers.Select(answer => answer.GetProperty("dense_probes").GetInt32())); // of 29 tokens after the prompt's
        Assert.Equal(JsonValueKind.Null, answers[0].GetProperty("kl").ValueKind);
        Assert.InRange(answers[1].GetProperty("kl").GetDouble(), 1e-6, 5);
        Assert.InRange(answers[1].GetProperty("top1_agreement").GetDouble(), 0, 1);
        Assert.Equal((0.0, 4), (answers[1].GetProperty("prefill_threshold_scale").GetDouble(), answers[1].GetProperty("dense_probe_every").GetInt32()));
        Assert.Equal(JsonValueKind.Null, answers[2].GetProperty("prefill_threshold_scale").ValueKind);
        Assert.Equal(answers[0].GetProperty("text").GetString(), answers[2].GetProperty("text").GetString());
        JsonElement given = Answers([Line], "--prefill-threshold-scale", "0", "--dense-probe-every", "4")[0];
        Assert.Equal(answers[1].GetProperty("text").GetString(), given.GetProperty("text").GetString());
        Assert.Equal(answers[1].GetProperty("kl").GetDouble(), given.GetProperty("kl").GetDouble());

        CliRun run = CliTool.RunWithInput(
            ["/prefill", "/probe", "/prefill 0.5", "/prefill much", "/probe -3", "/probe 2", Line, "/stats"],
            "chat", _demo.Output, "--raw", "--max-new-tokens", "9").Expect(0);
        foreach (string part in (string[])["prefill sparse", "probe 0: ", "prefill 0.5: ", "probe 2: ", "\n4 dense probes: KL "])
        {
            Assert.Contains(part, run.Output, StringComparison.Ordinal);
        }

        Assert.Contains("at dial 1, prefill 0.5; KL ", run.Error, StringComparison.Ordinal);
        Assert.Contains("/prefill takes dense, sparse, or a number, 0 (dense) or more; it was 'much'", run.Error, StringComparison.Ordinal);
        Assert.Contains("/probe takes a whole number, 0 (never) or more, as /probe 8; it was '-3'", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Commands_answer_and_wrong_ones_are_named_without_ending_the_conversation()
    {
        CliRun run = CliTool.RunWithInput(
            ["/stats", "/bogus", "/dial much", "/dial -1", "/clear now", "/dial", "/dial 0.7", "/dial", Line, "", "/stats", "/help", "/exit", Line],
            "chat", _demo.Output, "--chat-template", _template, "--max-new-tokens", "12").Expect(0);
        Assert.Contains("no answer yet", run.Output, StringComparison.Ordinal);
        Assert.Contains("dial 1\n", run.Output, StringComparison.Ordinal);
        Assert.Contains("dial 0.7\n", run.Output, StringComparison.Ordinal);
        Assert.Contains("1 answers, 12 tokens, ", run.Output, StringComparison.Ordinal);
        foreach (string command in (string[])["/dial", "/dense", "/prefill", "/probe", "/stats", "/clear", "/help", "/exit"])
        {
            Assert.Contains($"\n{command} ", run.Output, StringComparison.Ordinal);
        }

        string[] errors = [.. run.Error.Split('\n').Where(line => line.StartsWith("error: ", StringComparison.Ordinal))];
        Assert.Equal(4, errors.Length);
        Assert.Contains("/bogus", errors[0], StringComparison.Ordinal);
        Assert.Contains("/stats", errors[0], StringComparison.Ordinal);
        Assert.Contains("'much'", errors[1], StringComparison.Ordinal);
        Assert.Contains("'-1'", errors[2], StringComparison.Ordinal);
        Assert.Contains("'now'", errors[3], StringComparison.Ordinal);
        Assert.Single(run.Error.Split('\n'), line => line.StartsWith("[12 tokens", StringComparison.Ordinal)); // nothing after /exit
    }

    [Fact]
    public void With_json_a_program_gets_each_answer_before_it_says_more()
    {
        Process process = CliTool.StartWithInput("chat", _demo.Output, "--raw", "--max-new-tokens", "8", "--json");
        Assert.Equal(8, Ask(Line).GetProperty("tokens").GetInt32());
        Assert.StartsWith("dial 0.7", Ask("/dial 0.7").GetProperty("note").GetString(), StringComparison.Ordinal);
        Assert.Contains("/bogus", Ask("/bogus").GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.Equal(.7, Ask("and").GetProperty("threshold_scale").GetDouble(), 1e-6);
        process.StandardInput.Close();
        Assert.Empty(CliTool.Finish(process).Expect(0).Output);

        // What ends the program is a line as well.
        CliRun none = CliTool.RunWithInput([], "chat", "/nowhere", "--json").Expect(2);
        Assert.Equal(2, JsonSerializer.Deserialize<JsonElement>(Assert.Single(none.Output.TrimEnd('\n').Split('\n'))).GetProperty("exit_code").GetInt32());

        JsonElement Ask(string line)
        {
            process.StandardInput.WriteLine(line);
            process.StandardInput.Flush();
            return JsonSerializer.Deserialize<JsonElement>(process.StandardOutput.ReadLine()!);
        }
    }

    [Fact]
    public void A_line_with_two_slashes_is_a_message_with_one() =>
        Assert.Equal("/dial", Answers(["//dial"])[0].GetProperty("prompt").GetString());

    [Fact]
    public void A_model_without_a_template_names_both_ways_out()
    {
        CliRun run = CliTool.RunWithInput([Line], "chat", CliTool.DemoModel).Expect(2);
        Assert.Contains("--chat-template FILE", run.Error, StringComparison.Ordinal);
        Assert.Contains("--raw", run.Error, StringComparison.Ordinal);
        Assert.Empty(run.Output);
        Assert.Contains("'/nowhere/t.jinja'", CliTool.RunWithInput([], "chat", CliTool.DemoModel, "--chat-template", "/nowhere/t.jinja").Expect(2).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_dense_model_has_no_dial()
    {
        CliRun run = CliTool.RunWithInput(["/dial 0.5", "/dial", Line], "chat", CliTool.DemoModel, "--raw", "--max-new-tokens", "8").Expect(0);
        Assert.Contains("`cats rewrite`", run.Error, StringComparison.Ordinal);
        Assert.Contains("no dial", run.Output, StringComparison.Ordinal);
        Assert.Contains("nothing to probe", CliTool.RunWithInput(["/probe 3"], "chat", CliTool.DemoModel, "--raw").Expect(0).Error, StringComparison.Ordinal);
        Assert.Contains("[8 tokens, ", run.Error, StringComparison.Ordinal);
        Assert.Contains("`cats rewrite`", CliTool.RunWithInput([], "chat", CliTool.DemoModel, "--raw", "--threshold-scale", "1").Expect(2).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_line_that_is_too_long_is_refused_and_the_conversation_goes_on()
    {
        string tooLong = string.Concat(Enumerable.Repeat("house ", 3000));
        JsonElement[] lines = Lines([tooLong, Line]);
        Assert.Equal(2, lines.Length);
        Assert.Contains("/clear", lines[0].GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.Equal(Line, lines[1].GetProperty("prompt").GetString());
    }

    [Fact]
    public void Equal_seeds_draw_equal_answers()
    {
        string Drawn(string seed) => Answers([Line], "--temperature", "1.2", "--top-k", "100", "--top-p", "0.95", "--seed", seed)[0].GetProperty("text").GetString()!;
        string drawn = Drawn("7");
        Assert.Equal(drawn, Drawn("7"));
        Assert.NotEqual(drawn, Drawn("8"));
        Assert.NotEqual(drawn, Answers([Line])[0].GetProperty("text").GetString());
    }

    [Fact]
    public void Ctrl_C_ends_the_answer_and_the_next_one_the_program()
    {
        // Drawn from all tokens: greedy text may end itself.
        Process process = CliTool.StartWithInput(
            "chat", _demo.Output, "--chat-template", _template, "--max-new-tokens", "2000", "--temperature", "1.5", "--seed", "1");
        process.StandardInput.WriteLine(Line);
        process.StandardInput.Flush();
        Assert.NotEqual(-1, process.StandardOutput.Read()); // the answer has begun
        Interrupt(process);
        process.StandardInput.WriteLine("/help");
        process.StandardInput.Flush();
        string? line;
        while ((line = process.StandardOutput.ReadLine()) is not null && !line.StartsWith("/exit", StringComparison.Ordinal))
        {
        }

        Assert.NotNull(line);
        Interrupt(process);
        CliRun run = CliTool.Finish(process).Expect(130);
        Assert.Contains("[stopped]", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("error", run.Error, StringComparison.Ordinal);
    }

    private static void Interrupt(Process process)
    {
        using Process kill = Process.Start("kill", ["-INT", $"{process.Id}"]);
        kill.WaitForExit();
    }

    private JsonElement[] Answers(string[] lines, params string[] more)
    {
        JsonElement[] given = Lines(lines, more);
        Assert.DoesNotContain(given, line => line.TryGetProperty("error", out _));
        return [.. given.Where(line => !line.TryGetProperty("note", out _))];
    }

    private JsonElement[] Lines(string[] lines, params string[] more) =>
        [.. CliTool.RunWithInput(lines, ["chat", _demo.Output, "--chat-template", _template, "--max-new-tokens", "30", .. more, "--json"]).Expect(0)
            .Output.TrimEnd('\n').Split('\n').Select(line => JsonSerializer.Deserialize<JsonElement>(line))];
}
