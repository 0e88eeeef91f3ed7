"""What the licences of a data set's sources allow: who may use the images, and who may pass them on.

A licence that nothing is known about allows nothing. A suite says what its licences allow (``licences`` in its file);
of well-known ones it is known here. This is bookkeeping, and no legal advice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from ..core.errors import DatasetError
from .catalog.published import Licence
from .dataset import Dataset
from .record_schema import PassOn

_CC = "https://creativecommons.org"
_NC = "non-commercial, with attribution"
_KNOWN: dict[str, tuple[str, str, str, PassOn]] = {
    "Apache-2.0": ("Apache License 2.0", "https://www.apache.org/licenses/LICENSE-2.0", "any", "allowed"),
    "MIT": ("MIT Licence", "https://opensource.org/license/mit", "any", "allowed"),
    "CC0-1.0": ("Creative Commons Zero 1.0", f"{_CC}/publicdomain/zero/1.0/", "any", "allowed"),
    "CC-BY-4.0": ("Creative Commons Attribution 4.0", f"{_CC}/licenses/by/4.0/", "any, with attribution", "allowed"),
    "CC-BY-SA-4.0": (
        "Creative Commons Attribution-ShareAlike 4.0",
        f"{_CC}/licenses/by-sa/4.0/",
        "any, with attribution, under the same licence",
        "allowed",
    ),
    "CC-BY-NC-4.0": (
        "Creative Commons Attribution-NonCommercial 4.0",
        f"{_CC}/licenses/by-nc/4.0/",
        _NC,
        "non-commercial",
    ),
    "CC-BY-NC-SA-4.0": (
        "Creative Commons Attribution-NonCommercial-ShareAlike 4.0",
        f"{_CC}/licenses/by-nc-sa/4.0/",
        f"{_NC}, under the same licence",
        "non-commercial",
    ),
    "CC-BY-ND-4.0": (
        "Creative Commons Attribution-NoDerivatives 4.0",
        f"{_CC}/licenses/by-nd/4.0/",
        "any, with attribution, unchanged: crops and compressed copies may not be passed on",
        "forbidden",
    ),
    "CC-BY-NC-ND-4.0": (
        "Creative Commons Attribution-NonCommercial-NoDerivatives 4.0",
        f"{_CC}/licenses/by-nc-nd/4.0/",
        f"{_NC}, unchanged: crops and compressed copies may not be passed on",
        "forbidden",
    ),
}
_BY_NAME = {name.lower(): name for name in _KNOWN}


@dataclass(frozen=True)
class Terms:
    """The terms of one licence.

    Parameters
    ----------
    id, title, url : str
        What it is called and where it stands.
    use : str
        What it allows, in words.
    pass_on : str
        Whether images may be passed on: ``allowed``, ``non-commercial``, or ``forbidden``.
    """

    id: str
    title: str
    url: str
    use: str
    pass_on: PassOn


def terms_of(licence: str, stated: Licence | None = None) -> Terms:
    """The terms of a licence; ``stated`` is what a suite says about it."""
    name = _BY_NAME.get(licence.lower())
    known = Terms(licence, *_KNOWN[name]) if name else Terms(licence, licence, "", "nothing is known", "forbidden")
    if stated is None:
        return known
    return Terms(licence, stated.title, stated.url, stated.use, stated.pass_on or known.pass_on)


def terms_record(licences: Iterable[str], stated: dict[str, Licence]) -> dict[str, dict[str, str]]:
    """The entry ``licences`` of ``dataset.json``: licence -> its terms."""
    found = {one: asdict(terms_of(one, stated.get(one))) for one in sorted(set(licences))}
    return {one: {key: value for key, value in terms.items() if key != "id"} for one, terms in found.items()}


def dataset_terms(dataset: Dataset) -> dict[str, Terms]:
    """Source -> the terms of its licence, as the data set says, or as they are known."""
    said: dict[str, dict[str, Any]] = dataset.info.get("licences", {})
    found: dict[str, Terms] = {}
    for source in dataset.info["sources"]:
        licence = str(source["licence"])
        found[source["name"]] = Terms(licence, **said[licence]) if licence in said else terms_of(licence)
    return found


def kept_back(dataset: Dataset) -> dict[str, str]:
    """The sources whose images may not be passed on -> why."""
    return {
        name: f"licence '{terms.id}': {terms.use}"
        for name, terms in dataset_terms(dataset).items()
        if terms.pass_on == "forbidden"
    }


def check_pass_on(dataset: Dataset) -> None:
    """DatasetError in one line if a source's licence does not allow that its images are passed on."""
    back = kept_back(dataset)
    if back:
        name = next(iter(back))
        more = f" and {len(back) - 1} more source{'s' * (len(back) > 2)}" if len(back) > 1 else ""
        raise DatasetError(
            f"{dataset.path}: may not be passed on, because of {name} ({back[name]}){more}. Leave them out with "
            "--source, or state their licence in the suite file or with --folder-licence."
        )
