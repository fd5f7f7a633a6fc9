"""The style sheet of a page: readable on a telephone and on paper, dark where the reader's screen is."""

STYLE = """
:root { --paper: #fff; --ink: #1c2230; --dim: #5c6675; --line: #d8dde5; --band: #f4f6f9; --mark: #fff3cf;
  --blue: #0072b2; --good: #00795a; --bad: #b54a00; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #14171d; --ink: #e6e9ee; --dim: #9aa4b2; --line: #343b47;
  --band: #1c2129; --mark: #3d3515; --blue: #63b5e8; --good: #3fc79d; --bad: #f0915a; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; padding: 1.2rem; max-width: 74rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .2rem 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2rem 0 .6rem; border-bottom: 1px solid var(--line); padding-bottom: .2rem; }
p { max-width: 48rem; margin: .4rem 0; }
.dim, .note { color: var(--dim); }
.note { font-size: .88rem; }
.badge { display: inline-block; padding: 0 .6rem; border-radius: 1rem; border: 1px solid currentColor;
  font-size: .85rem; }
.complete { color: var(--good); } .failed, .interrupted, .stopped { color: var(--bad); }
.ends { white-space: nowrap; }
.scroll { overflow-x: auto; max-width: 100%; }
table { border-collapse: collapse; font-size: .92rem; }
th, td { text-align: left; vertical-align: top; padding: .16rem .8rem .16rem 0;
  border-bottom: 1px solid var(--line); }
td { overflow-wrap: break-word; }
.facts th { font-weight: 500; color: var(--dim); white-space: nowrap; }
.facts td { overflow-wrap: anywhere; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr.changed td, tr.changed th { background: var(--mark); }
thead th { position: sticky; top: 0; background: var(--paper); }
th button { all: unset; cursor: pointer; font-weight: 600; }
th button:focus-visible { outline: 2px solid var(--blue); }
th[aria-sort=ascending] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
.table { max-height: 32rem; overflow: auto; }
pre { background: var(--band); padding: .6rem .8rem; overflow-x: auto; font-size: .88rem; border-radius: 6px;
  white-space: pre-wrap; overflow-wrap: anywhere; }
code { font-size: .92em; }
details { margin: .5rem 0; }
summary { cursor: pointer; }
figure { margin: 0 0 1.2rem; }
figure img { max-width: 100%; height: auto; background: #fff; border-radius: 6px; }
figcaption { color: var(--dim); font-size: .9rem; }
.player { display: grid; grid-template-columns: minmax(15rem, 24rem) 1fr; gap: .8rem; align-items: start; }
.player.flat { grid-template-columns: 1fr; }
.player canvas { width: 100%; display: block; border-radius: 6px; background: #0f1218; }
.player .map canvas { aspect-ratio: 1; }
.player .raster canvas { height: 20rem; }
.lines canvas { width: 100%; height: 9rem; display: block; border-radius: 6px; background: #0f1218; }
.lines figcaption { margin-top: .5rem; }
.controls { display: flex; flex-wrap: wrap; gap: .5rem .8rem; align-items: center; margin: .6rem 0; }
.controls input[type=range] { flex: 1 1 16rem; min-width: 10rem; }
.controls button { font: inherit; padding: .15rem .7rem; border: 1px solid var(--line); border-radius: 6px;
  background: var(--band); color: inherit; cursor: pointer; }
.controls output { min-width: 14rem; font-variant-numeric: tabular-nums; }
.legend span { margin-right: .9rem; white-space: nowrap; }
.legend i { display: inline-block; width: .8rem; height: .8rem; border-radius: 2px; margin-right: .3rem;
  vertical-align: -1px; }
.strip { vertical-align: middle; }
.strip .dot { fill: var(--blue); fill-opacity: .55; } .strip .bar { stroke: var(--ink); stroke-width: 1.5; }
.strip .zero { stroke: var(--line); } .strip .mean { fill: var(--ink); }
@media (max-width: 48rem) { body { padding: .8rem; } .player { grid-template-columns: 1fr; }
  .facts th { white-space: normal; } }
@media print { .controls, .keys { display: none; } }
"""
