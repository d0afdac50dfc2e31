"""How times grow with the number of entities, as an SVG: one small plot an operation, both axes logarithmic."""

from collections.abc import Iterable
from html import escape
from math import ceil, floor, log10
from pathlib import Path

from .peers import LITTLETABLE, NITRO, PLAIN, SQLITE, SQLMODEL
from .report import TITLES, Figures

PLOT = Path(__file__).parent.with_name("store-growth.svg")
COLOURS = {NITRO: "#c2410c", SQLITE: "#1d4ed8", PLAIN: "#4b5563", SQLMODEL: "#15803d", LITTLETABLE: "#a21caf"}
SHOWN = ("get", "equality", "range", "and", "count", "scan", "first page", "deep page", "insert")
STYLE = (
    ".title{font-size:11px;font-weight:bold}.axis{font-size:9px;fill:#555}.legend{font-size:11px}"
    ".grid{stroke:#ddd}polyline{fill:none;stroke-width:1.5}"
)
WIDTH, HEIGHT, COLUMNS = 300, 210, 3
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 30, 30


def _line(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _unit(exponent: int) -> str:
    for unit, size in (("ns", -9), ("µs", -6), ("ms", -3)):
        if exponent < size + 3:
            return f"{10 ** (exponent - size)} {unit}"
    return f"{10**exponent} s"


def _panel(name: str, figures: dict[int, Figures], x0: float, y0: float) -> list[str]:
    curves = {
        peer: [
            (size, measured.seconds[name][peer]) for size, measured in figures.items() if peer in measured.seconds[name]
        ]
        for peer in COLOURS
    }
    curves = {peer: curve for peer, curve in curves.items() if curve}
    times = [taken for curve in curves.values() for _, taken in curve]
    low, high = floor(log10(min(times))), ceil(log10(max(times)))
    sizes = [log10(size) for size in figures]
    across = (WIDTH - LEFT - RIGHT) / ((max(sizes) - min(sizes)) or 1)
    up = (HEIGHT - TOP - BOTTOM) / ((high - low) or 1)

    def at(size: float, taken: float) -> tuple[float, float]:
        return x0 + LEFT + (log10(size) - min(sizes)) * across, y0 + HEIGHT - BOTTOM - (log10(taken) - low) * up

    drawn = [f'<text x="{x0 + LEFT}" y="{y0 + 18}" class="title">{escape(TITLES[name])}</text>']
    for exponent in range(low, high + 1):
        _, y = at(min(figures), 10.0**exponent)
        drawn.append(f'<line x1="{x0 + LEFT}" y1="{y:.1f}" x2="{x0 + WIDTH - RIGHT}" y2="{y:.1f}" class="grid"/>')
        drawn.append(
            f'<text x="{x0 + LEFT - 5}" y="{y + 3:.1f}" class="axis" text-anchor="end">{_unit(exponent)}</text>'
        )
    for size in figures:
        x, _ = at(size, 10.0**low)
        drawn.append(f'<text x="{x:.1f}" y="{y0 + HEIGHT - 12}" class="axis" text-anchor="middle">{size:,}</text>')
    for peer, curve in curves.items():
        points = [at(size, taken) for size, taken in curve]
        drawn.append(f'<polyline points="{_line(points)}" stroke="{COLOURS[peer]}"/>')
        drawn += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{COLOURS[peer]}"/>' for x, y in points]
    return drawn


def growth(figures: dict[int, Figures]) -> None:
    """Draws the plot beside the README."""
    rows = ceil(len(SHOWN) / COLUMNS)
    width, height = WIDTH * COLUMNS, HEIGHT * rows + 30
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">',
        f"<style>{STYLE}</style>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number, (peer, colour) in enumerate(COLOURS.items()):
        x = LEFT + number * 130
        drawn.append(f'<line x1="{x}" y1="16" x2="{x + 20}" y2="16" stroke="{colour}" stroke-width="3"/>')
        drawn.append(f'<text x="{x + 26}" y="20" class="legend">{escape(peer)}</text>')
    for number, name in enumerate(SHOWN):
        drawn += _panel(name, figures, (number % COLUMNS) * WIDTH, 30 + (number // COLUMNS) * HEIGHT)
    PLOT.write_text("\n".join([*drawn, "</svg>", ""]), encoding="utf-8")
