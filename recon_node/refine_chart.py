# SPDX-License-Identifier: Apache-2.0
"""refine.png: how the losses fell and the agreement with held-out pixels rose."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from recon_node.refine_record import RefineRecord

_WIDTH, _PANEL, _MARGIN, _LEFT, _RIGHT = 940, 230, 20, 64, 210  # [px]
_HEADER, _BETWEEN, _FOOTER = 62, 42, 48
_PAPER, _INK, _FAINT_INK, _GRID = (250, 250, 251), (32, 36, 43), (108, 114, 124), (226, 229, 234)
_VERSION = (243, 153, 40)
_COLORS = (
    (31, 119, 180),
    (214, 39, 40),
    (44, 140, 60),
    (148, 103, 189),
    (140, 86, 75),
    (227, 119, 194),
    (23, 160, 175),
    (127, 127, 127),
    (188, 150, 20),
)
_FINE = 3  # lines are drawn at so many times the size


@dataclass(frozen=True)
class _Axis:
    """One direction of a panel: values to pixels, by a straight line or by logarithms."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def pixel(self, value: float) -> float:
        low, high = self.low, self.high
        if self.is_log:
            low, high, value = math.log10(low), math.log10(high), math.log10(max(value, low))
        share = min(max((value - low) / (high - low), 0.0), 1.0)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        if self.is_log:
            low, high = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            return [10.0**power for power in range(low, high + 1, 1 + (high - low) // 6)]
        step = _round_step((self.high - self.low) / 5)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [step * number for number in range(first, last + 1)]


def draw_refine_chart(record: RefineRecord, *, title: str) -> Image.Image:
    """Above the PSNR of held-out pixels over time, below each loss; lines where versions came.

    Args:
        record: What was written down while refining.
        title: Stands above.
    """
    height = _HEADER + 2 * _PANEL + _BETWEEN + _FOOTER
    times = [moment.seconds for moment in record.moments]
    end = max([*times, record.seconds, 1e-3])
    x = _Axis(0.0, end, _LEFT, _WIDTH - _RIGHT)
    canvas = Image.new("RGB", (_WIDTH * _FINE, height * _FINE), _PAPER)
    losses = {
        name: [moment.losses.get(name, math.nan) for moment in record.moments]
        for name in sorted({name for moment in record.moments for name in moment.losses})
    }
    psnr = {"held-out PSNR": [moment.psnr for moment in record.moments]}
    upper, lower = _HEADER, _HEADER + _PANEL + _BETWEEN
    panels = [
        (psnr, _linear_axis(psnr, upper), "dB"),
        (losses, _log_axis(losses, lower), "loss"),
    ]
    lines = ImageDraw.Draw(canvas)
    for series, y, _ in panels:
        _draw_grid(lines, x, y)
        for version in record.versions:
            at = x.pixel(version.seconds)
            _line(lines, [(at, y.start), (at, y.end)], _VERSION, 1.2)
        for values, color in zip(series.values(), _COLORS * 9, strict=False):
            for piece in _pieces(times, values, x, y):
                _line(lines, piece, color, 2.0)
    if record.versions:
        _line(lines, [(_LEFT, height - 18), (_LEFT + 16, height - 18)], _VERSION, 2.0)
    sheet = canvas.resize((_WIDTH, height), Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(sheet)
    _write(draw, (_MARGIN, _HEADER / 2 - 6), title, 18, _INK, "lm")
    note = f"{record.step_count} steps, {record.seconds:.1f} s"
    _write(draw, (_WIDTH - _MARGIN, _HEADER / 2 - 6), note, 14, _FAINT_INK, "rm")
    for series, y, unit in panels:
        _write_labels(draw, series if times else {}, x, y, unit)
    if not times:
        place = (0.5 * (x.start + x.end), upper + _PANEL / 2)
        _write(draw, place, "no step was made in the time given", 15, _INK, "mm")
    _write(draw, (x.end, height - 18), "time [s]", 13, _FAINT_INK, "rm")
    if record.versions:
        _write(draw, (_LEFT + 22, height - 18), "better version", 13, _FAINT_INK, "lm")
    return sheet


def _linear_axis(series: Mapping[str, Sequence[float]], top: float) -> _Axis:
    known = [v for values in series.values() for v in values if math.isfinite(v)] or [0.0, 1.0]
    low, high = min(known), max(known)
    room = max(0.08 * (high - low), 0.25)
    return _Axis(low - room, high + room, top + _PANEL, top)


def _log_axis(series: Mapping[str, Sequence[float]], top: float) -> _Axis:
    known = [v for values in series.values() for v in values if v > 0 and math.isfinite(v)]
    low, high = min(known, default=0.1), max(known, default=1.0)
    low = max(low, 1e-6 * high)
    return _Axis(low / 1.3, high * 1.3, top + _PANEL, top, is_log=True)


def _pieces(
    times: Sequence[float], values: Sequence[float], x: _Axis, y: _Axis
) -> list[list[tuple[float, float]]]:
    """Lines in pixels, broken where a value cannot be drawn."""
    pieces, piece = [], []
    for time, value in zip(times, values, strict=True):
        if math.isfinite(value) and (value > 0 or not y.is_log):
            piece.append((x.pixel(time), y.pixel(value)))
        elif piece:
            pieces.append(piece)
            piece = []
    return [*pieces, piece] if piece else pieces


def _draw_grid(draw: ImageDraw.ImageDraw, x: _Axis, y: _Axis) -> None:
    for tick in y.ticks():
        _line(draw, [(x.start, y.pixel(tick)), (x.end, y.pixel(tick))], _GRID, 1.0)
    for tick in x.ticks():
        _line(draw, [(x.pixel(tick), y.start), (x.pixel(tick), y.end)], _GRID, 1.0)
    frame = [(x.start, y.end), (x.start, y.start), (x.end, y.start)]
    _line(draw, frame, _FAINT_INK, 1.0)


def _write_labels(
    draw: ImageDraw.ImageDraw, series: Mapping[str, Sequence[float]], x: _Axis, y: _Axis, unit: str
) -> None:
    for tick in y.ticks():
        text = f"1e{round(math.log10(tick)):d}" if y.is_log else f"{tick:g}"
        _write(draw, (x.start - 7, y.pixel(tick)), text, 12, _FAINT_INK, "rm")
    for tick in x.ticks():
        _write(draw, (x.pixel(tick), y.start + 5), f"{tick:g}", 12, _FAINT_INK, "ma")
    _write(draw, (_MARGIN - 8, y.end - 10), unit, 12, _FAINT_INK, "lm")
    for row, ((name, values), color) in enumerate(zip(series.items(), _COLORS * 9, strict=False)):
        top = y.end + 8 + 19 * row
        draw.rectangle((x.end + 12, top - 2, x.end + 24, top + 2), fill=color)
        last = next((v for v in reversed(values) if math.isfinite(v)), math.nan)
        text = f"{name.replace('_', ' ')}  {last:.3g}"
        _write(draw, (x.end + 30, top), text, 12, _INK, "lm")


def _line(
    draw: ImageDraw.ImageDraw, points: list[tuple[float, float]], color: tuple, width: float
) -> None:
    scaled = [(_FINE * px, _FINE * py) for px, py in points]
    draw.line(scaled, fill=color, width=round(_FINE * width), joint="curve")


def _write(
    draw: ImageDraw.ImageDraw, place: tuple, text: str, size: int, color: tuple, anchor: str
) -> None:
    draw.text(place, text, fill=color, font=ImageFont.load_default(size), anchor=anchor)


def _round_step(step: float) -> float:
    """Smallest of …, 1, 2, 5, 10, 20, … that is not below a step."""
    decade = 10.0 ** math.floor(math.log10(step))
    return next(f * decade for f in (1, 2, 5, 10) if f * decade >= step * (1 - 1e-9))
