// SPDX-License-Identifier: MIT
// How the page looks, in light and in dark; it loads nothing.
namespace CatsOnnx.Cli.Report;

internal static class PageStyle
{
    public const string Css = """
        :root { color-scheme: light dark; --page: #f4f6f8; --card: #ffffff; --text: #1f2328; --soft: #57606a; --line: #d8dee4; --code: #eef1f4; --bad: #a4500a; --good: #116b43; }
        @media (prefers-color-scheme: dark) { :root { --page: #0d1117; --card: #161b22; --text: #d5dbe3; --soft: #9aa5b1; --line: #2f3742; --code: #0d1117; --bad: #ffb077; --good: #67d69c; } }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.55 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
        main { max-width: 980px; margin: 0 auto; padding: 2rem 1rem 4rem; }
        h1 { font-size: 1.7rem; margin: 0 0 .3rem; }
        h2 { font-size: 1.3rem; margin: 0 0 .6rem; }
        h3 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
        p { margin: .5rem 0; max-width: 75ch; }
        section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1.3rem 1.4rem; margin: 1.2rem 0; }
        .soft, figcaption { color: var(--soft); font-size: .92rem; }
        figure { margin: .8rem 0 0; }
        img { display: block; max-width: 100%; height: auto; }
        .gates { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(380px, 100%), 1fr)); gap: .8rem; }
        .wide { overflow-x: auto; }
        table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; margin: .6rem 0; }
        th, td { text-align: left; padding: .32rem 1.1rem .32rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
        th { color: var(--soft); font-weight: 600; white-space: nowrap; }
        .n { text-align: right; white-space: nowrap; }
        code { font: .84rem/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }
        pre { background: var(--code); border: 1px solid var(--line); border-radius: 6px; padding: .5rem .7rem; margin: .4rem 0; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
        details { margin: .6rem 0; }
        summary { cursor: pointer; color: var(--soft); font-size: .92rem; }
        .refused { color: var(--bad); font-weight: 600; }
        .fused, .fusable { color: var(--good); font-weight: 600; }
        .missing { border-left: 4px solid var(--bad); padding: .4rem .8rem; background: var(--code); border-radius: 4px; }
        """;
}
