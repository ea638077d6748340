"""What charts share: their frame, and text in it."""

from __future__ import annotations

from xml.sax.saxutils import escape

from trdinger.report import figures

INK, PALE = "#0f172a", "#64748b"


def begun(width: int, height: int, *, heading: str, font: int) -> list[str]:
    """The first parts of a chart: its size in pixels, its title for who cannot see it, a white ground."""
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}" font-family="system-ui, sans-serif" font-size="{font}" role="img">',
        f"<title>{escape(heading)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        text(16, 26, heading, weight="bold"),
    ]


def ended(parts: list[str]) -> str:
    """The chart of these parts."""
    return "\n".join([*parts, "</svg>", ""])


def text(
    x: float, y: float, said: str, *, colour: str = INK, anchor: str = "start", weight: str = "normal"
) -> str:
    """A line of text at a place."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}" font-weight="{weight}">'
        f"{escape(figures.clean(said))}</text>"
    )
