"""Answers about pictures as one HTML file, complete in itself: a summary, then one page for each picture.

It loads nothing from anywhere and runs no script; printed, each picture begins on a sheet of its own.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Sequence
from importlib.resources import files
from string import Template

from ...core.text import printable
from ..attribution import Attribution, CropAnswer, NotAttributed
from ..scope import Scope

Answer = Attribution | NotAttributed


def attribution_page(answers: Sequence[Answer]) -> str:
    """The report as HTML.

    Parameters
    ----------
    answers : sequence of Attribution or NotAttributed
        In the order of the report; those with a ``preview`` show their picture with the map of crops on it.
    """
    style = _file("style.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    found = [one for one in answers if isinstance(one, Attribution)]
    return Template(_file("page.html")).substitute(
        policy=f"default-src &#x27;none&#x27;; img-src data:; style-src &#x27;sha256-{digest}&#x27;",
        style=style,
        count=_counted(answers),
        scope=_scope(found[0].scope) if found else "",
        rows="\n".join(_summary(number, one) for number, one in enumerate(answers, 1)),
        pages="\n".join(_page(number, one) for number, one in enumerate(answers, 1)),
    )


def _file(name: str) -> str:
    return (files(__name__) / name).read_text(encoding="utf-8")


def _text(value: object, limit: int = 400) -> str:
    return html.escape(printable(value, limit), quote=True)


def _counted(answers: Sequence[Answer]) -> str:
    found = [one for one in answers if isinstance(one, Attribution)]
    known = sum(one.accepted for one in found)
    bad = len(answers) - len(found)
    pictures = "1 picture" if len(answers) == 1 else f"{len(answers)} pictures"
    parts = [pictures, f"{known} named", f"{len(found) - known} unknown"]
    return ", ".join([*parts, f"{bad} without an answer"] if bad else parts)


def _scope(scope: Scope) -> str:
    return "".join(f"<li>{_text(line, 3000)}</li>" for line in scope.sentences)


def _summary(number: int, one: Answer) -> str:
    link = f'<a href="#p{number}">{_text(one.image, 1000)}</a>'
    if isinstance(one, NotAttributed):
        return f'<tr class="bad"><td>{link}</td><td colspan="3">no answer: {_reason(one)}</td></tr>'
    return (
        f'<tr><td>{link}</td><td><span class="{_kind(one)}">{_text(one.source)}</span></td>'
        f"<td>{one.confidence}</td><td>{_text(one.words)}</td></tr>"
    )


def _reason(one: NotAttributed) -> str:
    """Its error without the path, which stands next to it."""
    return _text(one.error.removeprefix(f"{one.image}: "), 1000)


def _kind(one: Attribution) -> str:
    return "known" if one.accepted else "unknown"


def _page(number: int, one: Answer) -> str:
    title = f'<p class="file">{_text(one.image, 1000)}</p>'
    if isinstance(one, NotAttributed):
        return (
            f'<article id="p{number}"><header>{title}<h2 class="bad">No answer</h2></header>'
            f"<p>{_reason(one)}</p></article>"
        )
    notes = "".join(f"<li>{_text(note)}</li>" for note in one.notes)
    agreeing = round(one.agreement * len(one.crops))
    then = f"{_text(one.runner_up)} <small>{one.margin:.3g} behind</small>" if one.runner_up else "-"
    crops = "1 crop" if len(one.crops) == 1 else f"{len(one.crops)} crops"
    place = f"threshold {one.threshold:.4g} for {crops}; higher than {one.percentile:.0%} of pictures of known sources"
    facts = [
        ("Answer", f'<strong class="{_kind(one)}">{_text(one.source)}</strong>'),
        ("Confidence", f"{one.confidence} <small>of what is said here; it is no probability</small>"),
        ("Most alike", _text(one.candidate)),
        ("Then", then),
        ("Known score", f"{one.known_score:.4g} <small>{place}</small>"),
        ("Crops", f"{agreeing} of {len(one.crops)} name {_text(one.candidate)}"),
        ("File", f"{one.format}, {one.width} x {one.height} px"),
    ]
    rows = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts)
    return f"""<article id="p{number}">
<header>{title}<h2 class="{_kind(one)}">{_text(one.words[:1].upper() + one.words[1:])}</h2></header>
<div class="columns">
<div>{_figure(one)}</div>
<div><dl>{rows}</dl>{f'<ul class="notes">{notes}</ul>' if notes else ""}
<h3>How alike each known source is</h3>{_bars(one)}</div>
</div>
<details open><summary>What this answer rests on</summary><ul class="scope">{_scope(one.scope)}</ul></details>
</article>"""


def _figure(one: Attribution) -> str:
    """The picture with its crops on it; the crops alone where there is no preview."""
    picture = ""
    if one.preview:
        data = base64.b64encode(one.preview).decode()
        picture = f'<image href="data:image/jpeg;base64,{data}" width="{one.width}" height="{one.height}"/>'
    names = sorted({crop.candidate for crop in one.crops if crop.accepted})
    letters = {name: chr(ord("A") + i) if i < 26 else "*" for i, name in enumerate(names)}
    crops = "".join(_crop(crop, one, letters) for crop in one.crops)
    legend = [f"<li><b>{letters[name]}</b> {_text(name)}</li>" for name in names]
    if any(not crop.accepted for crop in one.crops):
        legend.append("<li><b>?</b> unknown</li>")
    return (
        f'<figure><svg viewBox="0 0 {one.width} {one.height}" role="img" aria-label="{_text(_spoken(one))}">'
        f'{picture}{crops}</svg><figcaption>Each crop by itself:<ul class="legend">{"".join(legend)}</ul></figcaption>'
        "</figure>"
    )


def _spoken(one: Attribution) -> str:
    refused = sum(not crop.accepted for crop in one.crops)
    return f"The picture with {len(one.crops)} crops; {refused} of them are unknown by themselves."


def _crop(crop: CropAnswer, one: Attribution, letters: dict[str, str]) -> str:
    kind = "other" if crop.candidate != one.candidate else "same"
    kind = kind if crop.accepted else "none"
    letter = letters[crop.candidate] if crop.accepted else "?"
    size = one.crop_size
    edge = max(one.width, one.height) / 320
    shown = max(one.width, one.height) / 20
    said = f"{crop.candidate if crop.accepted else 'unknown'}, known score {crop.known_score:.4g}"
    return (
        f'<g class="{kind}"><title>{_text(said)}</title>'
        f'<rect x="{crop.x}" y="{crop.y}" width="{size}" height="{size}" stroke-width="{edge:.2f}"/>'
        f'<text x="{crop.x + size / 2:.1f}" y="{crop.y + size / 2:.1f}" font-size="{shown:.1f}" '
        f'stroke-width="{shown / 7:.2f}">{letter}</text></g>'
    )


def _bars(one: Attribution) -> str:
    """A row for each known source, the most alike first; the longest bar is the most alike, the shortest the least."""
    ordered = sorted(one.class_scores.items(), key=lambda item: -item[1])
    best, worst = ordered[0][1], ordered[-1][1]
    rows: list[str] = []
    for name, score in ordered:
        share = (score - worst) / (best - worst) if best > worst else 1.0
        shape = f'<rect width="{2 + 98 * share:.1f}" height="8"/>'
        bar = f'<svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">{shape}</svg>'
        rows.append(f"<tr><th>{_text(name)}</th><td>{bar}</td><td>{score:.3g}</td></tr>")
    return f'<table class="bars">{"".join(rows)}</table>'
