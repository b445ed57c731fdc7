// SPDX-License-Identifier: MIT
// The pieces that a page is made of. Whatever comes from outside is encoded; the result is well-formed XML too.
using System.Net;
using System.Text;

namespace CatsOnnx.Cli.Report;

internal sealed class PageWriter
{
    private readonly StringBuilder _text = new();

    public static string Encode(string text) => WebUtility.HtmlEncode(new string([.. text.Where(letter => letter >= ' ' || letter is '\n' or '\t')]));

    public PageWriter Raw(string html)
    {
        _text.Append(html).Append('\n');
        return this;
    }

    public PageWriter Element(string name, string text, string? kind = null) =>
        Raw($"<{name}{(kind is null ? "" : $" class=\"{kind}\"")}>{Encode(text)}</{name}>");

    public PageWriter Paragraph(string text, string? kind = null) => Element("p", text, kind);

    /// <summary>A table; columns from <paramref name="numbersFrom"/> to before <paramref name="numbersTo"/> hold numbers.</summary>
    public PageWriter Table(IReadOnlyList<string> head, IEnumerable<IReadOnlyList<string>> rows, int numbersFrom, int numbersTo)
    {
        string Row(IReadOnlyList<string> cells, string tag) => "<tr>" + string.Concat(cells.Select((cell, column) =>
            $"<{tag}{(column >= numbersFrom && column < numbersTo ? " class=\"n\"" : cell is "fused" or "fusable" or "refused" ? $" class=\"{cell}\"" : "")}>{Encode(cell)}</{tag}>")) + "</tr>";
        Raw("<div class=\"wide\"><table><thead>" + Row(head, "th") + "</thead><tbody>");
        foreach (IReadOnlyList<string> row in rows)
        {
            Raw(Row(row, "td"));
        }

        return Raw("</tbody></table></div>");
    }

    public PageWriter Figure(Chart chart, string? caption = null) => Raw(
        $"""
        <figure><picture><source media="(prefers-color-scheme: dark)" srcset="{Data(chart.Dark)}" /><img src="{Data(chart.Light)}" width="{chart.Width}" height="{chart.Height}" alt="{Encode(chart.Description)}" /></picture>{(caption is null ? "" : $"<figcaption>{Encode(caption)}</figcaption>")}</figure>
        """);

    /// <summary>The commands that give numbers: one open, several behind a line to click.</summary>
    public PageWriter Commands(IEnumerable<string> commands)
    {
        string[] all = [.. commands.Distinct()];
        string text = $"<pre><code>{Encode(string.Join('\n', all))}</code></pre>";
        return all.Length == 1 ? Raw(text) : Raw($"<details><summary>The {all.Length} commands that give these numbers</summary>{text}</details>");
    }

    public override string ToString() => _text.ToString();

    private static string Data(byte[] png) => "data:image/png;base64," + Convert.ToBase64String(png);
}
