"""How a report looks: one style for light and dark, desk and phone.

The figures' colours are Okabe and Ito's; on dark they are lighter, so that each line keeps a
contrast of 4.5 or more with the page, and are told apart with any colour vision on both.
"""

from minibnn.training.plots.style import COLOURS

ON_DARK = ("#56A9E0", "#FF8A45", "#2FC79A", "#E29BC3", "#F0B73F", "#8FD3F7", "#E8EAED")


def _variables(colours):
    return " ".join(f"--c{k}: {colour};" for k, colour in enumerate(colours))


STYLE = f"""
:root {{
  color-scheme: light dark;
  --page: #ffffff; --card: #f6f7f9; --rule: #d9dce1; --ink: #1b1f24; --grey: #59616b;
  {_variables((*COLOURS[:-1], "#1b1f24"))}
}}
@media (prefers-color-scheme: dark) {{
  :root {{
    --page: #14171b; --card: #1c2026; --rule: #363c45; --ink: #e8eaed; --grey: #a3abb5;
    {_variables(ON_DARK)}
  }}
}}
* {{ box-sizing: border-box; }}
body {{
  margin: 0 auto; padding: 1rem; max-width: 84rem;
  background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
}}
h1 {{ font-size: 1.6rem; line-height: 1.2; margin: 0.5rem 0; }}
h2 {{ font-size: 1.25rem; margin: 2.5rem 0 0.5rem; }}
h3 {{ font-size: 1rem; margin: 1.5rem 0 0.25rem; }}
p {{ margin: 0.25rem 0 0.75rem; }}
.quiet, figcaption, caption {{ color: var(--grey); font-size: 0.9rem; }}
.grid {{ display: grid; gap: 1.25rem; margin-top: 0.75rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 28rem), 1fr)); }}
.grid.small {{ grid-template-columns: repeat(auto-fill, minmax(min(100%, 15rem), 1fr)); }}
.grid figure {{ max-width: 36rem; }}
figure {{ margin: 0; min-width: 0; }}
figcaption {{ padding: 0 0.25rem; }}
svg.figure {{ display: block; width: 100%; height: auto; }}
svg.swatch {{ width: 2.25rem; height: 0.9rem; vertical-align: -0.1rem; }}
svg {{ fill: var(--ink); }}
svg.own-colours {{ fill: #000000; }}
svg * {{ stroke-linejoin: round; stroke-linecap: butt; }}
svg text {{ font-family: system-ui, sans-serif; }}
.legend {{ list-style: none; display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem;
  padding: 0; margin: 0.5rem 0; }}
table {{ border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums;
  overflow-wrap: normal; }}
th, td {{ padding: 0.25rem 0.6rem; border-bottom: 1px solid var(--rule); vertical-align: top; }}
tfoot td {{ border-top: 2px solid var(--rule); font-weight: 600; }}
div + div > table {{ margin-top: 1.25rem; }}
thead th {{ color: var(--grey); font-weight: 600; white-space: nowrap; }}
td {{ white-space: nowrap; }}
.scroll {{ overflow-x: auto; }}
.settings td {{ white-space: normal; min-width: 14rem; overflow-wrap: anywhere; }}
.settings th {{ text-align: left; font-weight: 600; white-space: nowrap; }}
.confusion td, .confusion th {{ text-align: right; padding: 0.2rem 0.45rem;
  border: 1px solid var(--rule); }}
.confusion thead th:first-child {{ white-space: normal; min-width: 3.5rem; }}
.confusion th[scope=row] {{ position: sticky; left: 0; background: var(--page); }}
pre {{ background: var(--card); border: 1px solid var(--rule); border-radius: 0.4rem;
  padding: 0.75rem; overflow-x: auto; font-size: 0.85rem; }}
pre.command {{ white-space: pre-wrap; }}
details {{ margin: 0.75rem 0; }}
summary {{ cursor: pointer; }}
"""
