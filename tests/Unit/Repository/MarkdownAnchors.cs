// SPDX-License-Identifier: MIT
// The anchors that GitHub gives a page's headings.
using System.Text;
using System.Text.RegularExpressions;

namespace CatsOnnx.Tests.Unit.Repository;

/// <summary>The anchors of one page, in the order of its headings.</summary>
internal sealed partial class MarkdownAnchors
{
    private readonly HashSet<string> _all = new(StringComparer.Ordinal);

    /// <summary>The anchors of a page.</summary>
    public static MarkdownAnchors Of(string markdown)
    {
        MarkdownAnchors anchors = new();
        foreach (Match heading in Heading().Matches(WithoutFences(markdown)))
        {
            anchors.Add(heading.Groups["text"].Value);
        }

        return anchors;
    }

    /// <summary>A page without its fenced code, in which # begins a comment and [a](b) is no link.</summary>
    public static string WithoutFences(string markdown) => Fence().Replace(markdown, "");

    public bool Contains(string anchor) => _all.Contains(anchor);

    /// <summary>A heading's anchor: letters and digits in lower case, spaces as dashes; -1, -2, ... where others are equal.</summary>
    public string Add(string heading)
    {
        StringBuilder text = new();
        foreach (char one in Link().Replace(heading.Trim(), "$1").ToLowerInvariant())
        {
            text.Append(char.IsLetterOrDigit(one) || one is '-' or '_' ? one : one == ' ' ? '-' : (char?)null);
        }

        string anchor = text.ToString();
        string first = anchor;
        for (int i = 1; !_all.Add(anchor); i++)
        {
            anchor = $"{first}-{i}";
        }

        return anchor;
    }

    [GeneratedRegex(@"^#{1,6} +(?<text>.+?) *$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"^( *)(```+|~~~+).*?^\1\2[^\n]*$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fence();

    [GeneratedRegex(@"\[([^\]]*)\]\([^)]*\)")]
    private static partial Regex Link();
}
