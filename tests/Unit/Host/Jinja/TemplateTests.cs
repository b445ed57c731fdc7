// SPDX-License-Identifier: MIT
// The template language: what Jinja2 itself writes for many small templates, and errors that name construct and line.
using System.Text.Json;
using CatsOnnx.Jinja;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.Unit.Host.Jinja;

public sealed class TemplateTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 6, 15, 4, 5, TimeSpan.Zero);

    [Fact]
    public void Templates_give_what_Jinja2_gives()
    {
        using JsonDocument file = JsonDocument.Parse(File.ReadAllText(SharedFiles.Find("chat-templates", "jinja-cases.json")!));
        List<KeyValuePair<string, object?>> values = [.. file.RootElement.GetProperty("values").EnumerateObject()
            .Select(property => KeyValuePair.Create(property.Name, JsonValues.Of(property.Value)))];
        int count = 0;
        List<string> wrong = [];
        foreach (JsonElement item in file.RootElement.GetProperty("cases").EnumerateArray())
        {
            string template = item.GetProperty("template").GetString()!;
            string expected = item.GetProperty("expected").GetString()!;
            string actual;
            try
            {
                actual = Template.Read(template, "case").Render(values, Now);
            }
            catch (Exception error) when (error is InvalidDataException or NotSupportedException)
            {
                actual = error.Message;
            }

            if (actual != expected)
            {
                wrong.Add($"{template}\n  expected {JsonSerializer.Serialize(expected)}\n  actual   {JsonSerializer.Serialize(actual)}");
            }

            count++;
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
        Assert.True(count > 80, $"{count} cases");
    }

    [Fact]
    public void Time_is_written_as_Python_writes_it() =>
        Assert.Equal("06 Nov 2026|Friday Fri November 11 26 15:04:05 03 PM 310 %", Render("{{ strftime_now('%d %b %Y') }}|{{ strftime_now('%A %a %B %m %y %H:%M:%S %I %p %j %%') }}"));

    [Fact]
    public void The_mark_of_generated_text_writes_nothing() =>
        Assert.Equal("axb", Render("a{% generation %}x{% endgeneration %}b"));

    [Theory]
    [InlineData("\n{% include 'x' %}", "line 2: statement 'include' is not supported")]
    [InlineData("{% extends 'x' %}", "statement 'extends'")]
    [InlineData("{% call f() %}{% endcall %}", "statement 'call'")]
    [InlineData("{% for x in l recursive %}{% endfor %}", "recursive")]
    [InlineData("{{ x | wordwrap(3) }}", "filter 'wordwrap'")]
    [InlineData("{{ [1] | map('wordwrap') }}", "filter 'wordwrap'")]
    [InlineData("{{ x is escaped }}", "test 'escaped'")]
    [InlineData("{{ [1] | select('escaped') }}", "test 'escaped'")]
    [InlineData("{{ 'x'.zfill(3) }}", "method 'zfill'")]
    [InlineData("a\nb\n{{ cycler(1) }}", "line 3: function 'cycler'")]
    [InlineData("{{ [1].append(2) }}", "method 'append'")]
    [InlineData("{{ f(*x) }}", "unpacking")]
    [InlineData("{{ strftime_now('%U') }}", "'%U' of strftime_now")]
    [InlineData("{{ x | tojson(cls=1) }}", "argument 'cls' of filter 'tojson'")]
    [InlineData("{{ {1: 2} }}", "key that is not text")]
    public void What_is_not_supported_is_named(string template, string part) =>
        Assert.Contains(part, Assert.Throws<NotSupportedException>(() => Render(template)).Message);

    [Theory]
    [InlineData("{% if x %}\n", "'endif' is missing")]
    [InlineData("{% endfor %}", "'endfor' ends nothing")]
    [InlineData("a\n{{ 1 + }}", "line 2: a value was expected, but the end of the tag came")]
    [InlineData("{{ 'abc }}", "a string does not end")]
    [InlineData("{{ x", "a tag does not end")]
    [InlineData("{# x", "a comment does not end")]
    [InlineData("{{ x ? y }}", "'?' cannot stand in a tag")]
    [InlineData("{{ (1 }}", "')'")]
    [InlineData("a\n\n{{ q.role }}", "line 3: 'q' is undefined")]
    [InlineData("{{ q + 1 }}", "'q' is undefined")]
    [InlineData("{{ 'a' + 1 }}", "'+' does not work on text and a whole number")]
    [InlineData("{{ 1 < 'a' }}", "no order")]
    [InlineData("{{ 1 // 0 }}", "division by zero")]
    [InlineData("{{ 9223372036854775807 + 1 }}", "too large")]
    [InlineData("{% for x in 3 %}{% endfor %}", "a whole number has no elements")]
    [InlineData("{% set x.y = 1 %}", "'x' is no namespace")]
    [InlineData("{{ 3() }}", "cannot be called")]
    [InlineData("{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}", "f takes at most 1 arguments, not 2")]
    public void Errors_name_the_line(string template, string part) =>
        Assert.Contains(part, Assert.Throws<InvalidDataException>(() => Render(template)).Message);

    [Theory]
    [InlineData("{% for a in range(1000000) %}{% for b in range(1000000) %}x{% endfor %}{% endfor %}", "steps")]
    [InlineData("{% set x = 'aaaaaaaaaaaaaaaa' * 1000000 %}{{ x ~ x ~ x ~ x }}", "characters")]
    [InlineData("{{ 'a' * 99999999999 }}", "characters")]
    [InlineData("{{ range(99999999999) }}", "endless or has more than")]
    [InlineData("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "macros call each other")]
    public void Templates_that_would_not_end_are_ended(string template, string part) =>
        Assert.Contains(part, Assert.Throws<InvalidDataException>(() => Render(template)).Message);

    [Fact]
    public void Nesting_is_bounded()
    {
        Assert.Contains("deep", Assert.Throws<InvalidDataException>(() => Render("{{ " + new string('(', 5000) + "1" + new string(')', 5000) + " }}")).Message);
        Assert.Contains("deep", Assert.Throws<InvalidDataException>(() => Render("{{ " + string.Concat(Enumerable.Repeat("- ", 5000)) + "1 }}")).Message);
        Assert.Contains("deep", Assert.Throws<InvalidDataException>(() => Render(string.Concat(Enumerable.Repeat("{% if true %}", 5000)))).Message);
        Assert.Equal("-1", Render("{{ " + string.Concat(Enumerable.Repeat("not ", 5000)) + "true and -1 }}"));
    }

    [Fact]
    public void Mutated_templates_are_rendered_or_refused()
    {
        Random random = new(20261126);
        string[] sources = [.. Directory.EnumerateFiles(SharedFiles.Find("chat-templates")!, "*.jinja").Order(StringComparer.Ordinal).Select(File.ReadAllText)];
        string[] pieces = ["{{", "}}", "{%", "%}", "{#", "(", ")", "|", "[", "'", "for", "endif", "-", ":", "\n", "loop", "**", "\U0001F600"];
        KeyValuePair<string, object?>[] values = [KeyValuePair.Create("messages", (object?)new List<object?> { new Map { ["role"] = "user", ["content"] = "x" } })];
        int refused = 0;
        for (int i = 0; i < 3000; i++)
        {
            string text = sources[random.Next(sources.Length)];
            int at = random.Next(text.Length);
            text = random.Next(3) switch
            {
                0 => text[..at] + pieces[random.Next(pieces.Length)] + text[at..],
                1 => text.Remove(at, Math.Min(random.Next(1, 9), text.Length - at)),
                _ => text[..at],
            };
            try
            {
                Template.Read(text, "mutated").Render(values, Now);
            }
            catch (Exception error) when (error is InvalidDataException or NotSupportedException or ArgumentException)
            {
                Assert.Contains("mutated", error.Message);
                refused++;
            }
        }

        Assert.InRange(refused, 500, 3000);
    }

    private static string Render(string template) => Template.Read(template, "template").Render([], Now);
}
