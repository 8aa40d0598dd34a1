"""Bars of calls per hour, day, month or year as SVG: the same drawing on the page and in print."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from markupsafe import Markup, escape

from appliance.reports.asked import Asked

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 1000, 130, 44, 18, 8
HOURS_UP_TO, DAYS_UP_TO, MONTHS_UP_TO = timedelta(days=3), timedelta(days=93), timedelta(days=3 * 366)
ANSWERED_COLOUR, OTHERS_COLOUR = "#2f8f46", "#c9a227"  # used in print; pages have their theme's


@dataclass
class Bar:
    """One bar: its label, calls, and how many of them were answered."""

    label: str
    calls: int = 0
    answered: int = 0


def bars(hours: Mapping[datetime, list[int]], asked: Asked) -> list[Bar]:
    """The hours of a search gathered into hours, days, months or years of the company's zone, empty ones too."""
    zone, span = ZoneInfo(asked.zone), asked.end - asked.start
    shape, step = (("%d/%m %Hh", timedelta(hours=1)) if span <= HOURS_UP_TO else ("%d/%m", timedelta(hours=12)) if span <= DAYS_UP_TO
                   else ("%m/%Y", timedelta(days=27)) if span <= MONTHS_UP_TO else ("%Y", timedelta(days=300)))  # fmt: skip
    found: dict[str, Bar] = {}
    moment = asked.start
    while moment < asked.end:
        label = f"{moment.astimezone(zone):{shape}}"
        found.setdefault(label, Bar(label))
        moment += step
    last = f"{(asked.end - timedelta(seconds=1)).astimezone(zone):{shape}}"
    found.setdefault(last, Bar(last))
    for hour in sorted(hours):
        label = f"{max(hour, asked.start).astimezone(zone):{shape}}"
        bar = found.setdefault(label, Bar(label))
        bar.calls += hours[hour][0]
        bar.answered += hours[hour][1]
    return list(found.values())


def svg(found: list[Bar]) -> Markup:
    """The bars, answered below and the others on top, with a scale and a label under every few of them."""
    most = max((bar.calls for bar in found), default=0) or 1
    top = _round_up(most)
    inner = WIDTH - LEFT - 4
    step = inner / max(1, len(found))
    width = max(0.6, min(32.0, step * 0.78))
    scale = (HEIGHT - TOP - BOTTOM) / top
    base = HEIGHT - BOTTOM
    lines = [f'<svg class="drawn" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" xmlns="http://www.w3.org/2000/svg" font-size="11">',
             f"<title>{escape(_('Calls over time, answered and not answered'))}</title>"]
    for value in sorted({0, top // 2, top}):
        y = base - value * scale
        lines.append(f'<line class="chart-line" x1="{LEFT}" x2="{WIDTH - 4}" y1="{y:.1f}" y2="{y:.1f}" stroke="#9aa3ad" stroke-opacity=".35" stroke-width=".7"/>')
        lines.append(f'<text class="chart-text" x="{LEFT - 5}" y="{y + 3:.1f}" text-anchor="end" fill="#5b6570">{_thousands(value)}</text>')
    every = max(1, -(-len(found) * 58 // inner))
    for index, bar in enumerate(found):
        x = LEFT + index * step + (step - width) / 2
        said = _("%(when)s: %(calls)s calls, %(answered)s answered", when=bar.label, calls=bar.calls, answered=bar.answered)
        lines.append(f"<g><title>{escape(said)}</title>{_rectangle('chart-answered', x, width, base, bar.answered * scale, ANSWERED_COLOUR)}"
                     f"{_rectangle('chart-others', x, width, base - bar.answered * scale, (bar.calls - bar.answered) * scale, OTHERS_COLOUR)}</g>")
        if index % every == 0:
            lines.append(f'<text class="chart-text" x="{x + width / 2:.1f}" y="{HEIGHT - 5}" text-anchor="middle" fill="#5b6570">{escape(bar.label)}</text>')
    return Markup("".join(lines) + "</svg>")  # nosec: every text above is escaped or a number


def _rectangle(name: str, x: float, width: float, foot: float, height: float, colour: str) -> str:
    if height <= 0:
        return ""
    return f'<rect class="{name}" x="{x:.2f}" y="{foot - height:.2f}" width="{width:.2f}" height="{height:.2f}" fill="{colour}"/>'


def _round_up(value: int) -> int:
    """The end of the scale: an even round number not below the value."""
    power = 1
    while power * 10 <= value:
        power *= 10
    return next(top for factor in (1, 2, 4, 6, 8, 10, 20) if (top := max(2, factor * power)) >= value)


def _thousands(value: int) -> str:
    return f"{value:,}".replace(",", ".")
