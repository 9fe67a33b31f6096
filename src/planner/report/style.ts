/** The style of a report: system fonts, one column, and colours that can be told apart in light, in dark and without colour vision (Okabe and Ito). */
export const STYLE = `
:root { color-scheme: light dark; --back: #ffffff; --ink: #1b1f24; --dim: #59636e; --rule: #d8dee4; --bar: #0072b2;
  --limit: #b3261e; --shade: #0072b214; --s0: #1b1f24; --s1: #b8860b; --s2: #0072b2; --s3: #00805e; --s4: #b04a8e; --s5: #b3441e; }
@media (prefers-color-scheme: dark) {
  :root { --back: #14171b; --ink: #e8eaed; --dim: #9aa4af; --rule: #2e353d; --bar: #56b4e9; --limit: #ff8a80;
    --shade: #56b4e91c; --s0: #e8eaed; --s1: #f0b429; --s2: #56b4e9; --s3: #2fc79a; --s4: #e08cc4; --s5: #ff9a73; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1400px; padding: 24px 20px 60px; background: var(--back); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 4px; } h2 { font-size: 1.1rem; margin: 0 0 8px; }
p { margin: 4px 0; max-width: 75ch; } .dim { color: var(--dim); }
.facts { display: flex; flex-wrap: wrap; gap: 12px 28px; margin: 20px 0; padding: 0; }
.facts div { min-width: 7.2rem; } .facts dt { color: var(--dim); font-size: .85rem; } .facts dd { margin: 0; font-size: 1.35rem; font-weight: 600; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 520px), 1fr)); gap: 32px 40px; margin: 28px 0; }
pre { overflow-x: auto; font-size: .85rem; } section { min-width: 0; margin-bottom: 28px; } svg { width: 100%; height: auto; display: block; }
.table { overflow-x: auto; } table { border-collapse: collapse; font-size: .92rem; width: 100%; min-width: 720px; }
th, td { text-align: left; padding: 5px 14px 5px 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
th { color: var(--dim); font-weight: 500; } .n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
ul { padding-left: 1.2rem; max-width: 95ch; } li { margin: 2px 0; }
.label, .figure { fill: var(--ink); font-size: 14px; } .figure { font-variant-numeric: tabular-nums; font-size: 13px;
  paint-order: stroke; stroke: var(--back); stroke-width: 4px; stroke-linejoin: round; }
.tick, .axis { fill: var(--dim); font-size: 12.5px; } .bar { fill: var(--bar); } .grid { stroke: var(--rule); }
.limit { stroke: var(--limit); stroke-width: 1.5; stroke-dasharray: 4 3; } .shade { fill: var(--shade); }
.line { fill: none; stroke-width: 2.4; stroke-linejoin: round; } .mark { stroke: var(--back); stroke-width: 1.5; }
.s0 { stroke: var(--s0); } .s1 { stroke: var(--s1); stroke-dasharray: 9 4; } .s2 { stroke: var(--s2); }
.s3 { stroke: var(--s3); stroke-dasharray: 3 3; } .s4 { stroke: var(--s4); stroke-dasharray: 12 3 3 3; }
.s5 { stroke: var(--s5); stroke-dasharray: 6 2; }
circle.s0 { fill: var(--bar); } circle.s1 { fill: var(--s1); stroke-dasharray: none; }
circle.s2 { fill: var(--s2); } circle.s3 { fill: var(--s3); stroke-dasharray: none; } circle.s4 { fill: var(--s4); stroke-dasharray: none; }
circle.s5 { fill: var(--s5); stroke-dasharray: none; }
`.trim();
