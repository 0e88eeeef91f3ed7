"""What ties the images of a suite of characters together: who is in a picture, and which picture it draws again.

An original is described by what its generator was told; a resynthesis is made from the description of an original.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ..core.errors import DatasetError
from ..core.text import printable
from .catalog import Source, Suite
from .catalog.resyntheses import Originals, Resyntheses
from .characters import ORIGINAL, RESYNTHESIS, split_of_characters
from .folders import list_images
from .seeds import image_id

_NUMBER = re.compile(r"\D*0*(\d+)")


def character_columns(source: Source, index: int) -> dict[str, str | None]:
    """The columns ``character``, ``role``, ``of_image_id``, ``description`` and ``split_hint`` of one image."""
    if source.resynthesizes is not None:
        originals, drawn = source.resynthesizes, source.resynthesizes.drawn(index)
        return {
            "character": drawn.character,
            "role": RESYNTHESIS,
            "of_image_id": image_id(originals.namespace, originals.generator, originals.learned, drawn.original),
            "description": drawn.description,
            "split_hint": drawn.split_hint,
        }
    columns: dict[str, str | None] = dict.fromkeys(("character", "of_image_id", "description", "split_hint"))
    if source.characters:
        position = character_position(source, index)
        character = source.characters[position]
        columns |= {"character": character, "description": source.prompts[position]}
        columns |= {"split_hint": split_of_characters(source.characters)[character]}
    return {**columns, "role": ORIGINAL}


def drawn_characters(source: Source) -> Sequence[int]:
    """The characters, by position, that a source draws in turn: all of them, or those of the test split."""
    if not source.test_only:
        return range(len(source.characters))
    split = split_of_characters(source.characters)
    return [position for position, name in enumerate(source.characters) if split[name] == "test"]


def character_position(source: Source, index: int) -> int:
    """Which character, by position, an image shows; in a folder its number begins the file's name: ``00042-0.png``."""
    if source.folder is None:
        drawn = drawn_characters(source)
        return drawn[index % len(drawn)]
    file = list_images(source.folder)[index].name
    found = _NUMBER.match(file)
    if found is None or not 1 <= int(found[1]) <= len(source.characters):
        raise DatasetError(
            f"source {source.name}: {printable(file, 80)} names no character; its first number must be 1 to"
            f" {len(source.characters)}."
        )
    return int(found[1]) - 1


def images_of(source: Source, count: int) -> int:
    """Images of a source where ``count`` are asked of every one: fewer of one that draws test characters only."""
    if not source.test_only or source.folder is not None:
        return count
    turns, rest = divmod(count, len(source.characters))
    drawn = drawn_characters(source)
    return turns * len(drawn) + sum(position < rest for position in drawn)


def shown_characters(source: Source) -> list[int]:
    """The characters, by position, of one round of a source's images; of all of them in a folder."""
    if source.folder is None:
        return list(drawn_characters(source))
    return [character_position(source, index) for index in range(len(list_images(source.folder)))]


def resynthesizing(by: Source, of: Source, namespace: str, wanted: Resyntheses, shown: Sequence[int]) -> Source | None:
    """The source that makes the images of ``of`` again; None if no image of it is asked for.

    Parameters
    ----------
    by : Source
        A text-to-image source.
    of : Source
        A source with characters.
    namespace : str
        Of the originals, see :func:`.record.source_namespace`.
    wanted : Resyntheses
        How many, and of whom.
    shown : sequence of int
        :func:`shown_characters` of ``of``.
    """
    split = split_of_characters(of.characters)
    splits = {"test"} & set(wanted.splits) if by.test_only else set(wanted.splits)
    asked = tuple(i for i, position in enumerate(shown) if split[of.characters[position]] in splits)
    if not asked:
        return None
    names = tuple(of.characters[shown[i]] for i in asked)
    originals = Originals(
        source=of.name,
        generator=of.generator,
        learned=of.learned,
        namespace=namespace,
        round=len(shown),
        asked=asked,
        characters=names,
        descriptions=tuple(of.prompts[shown[i]] for i in asked),
        split_hints=tuple(split[name] for name in names),
        draws=wanted.draws,
    )
    prompts = originals.descriptions
    return replace(by, resynthesizes=originals, characters=(), prompts=prompts, prompts_in_turn=False, test_only=False)


def with_resyntheses(suite: Suite, counts: dict[str, int], namespaces: dict[str, str]) -> tuple[Suite, dict[str, int]]:
    """A suite with one more source for every pair of a chosen source that reads texts and one that is to be redrawn.

    Parameters
    ----------
    suite : Suite
        A suite; as it is where it asks for no resyntheses.
    counts : dict of str to int
        Images of each chosen source.
    namespaces : dict of str to str
        Of each chosen source.

    Returns
    -------
    tuple of Suite and dict of str to int
        The pairs' sources stand behind the one that makes them, so that its weights are loaded once.
    """
    if suite.resyntheses is None:
        return suite, counts
    chosen = [source for source in suite.sources if source.name in counts]
    sources, numbers = [], {}
    for source in suite.sources:
        sources.append(source)
        if source.name not in counts:
            continue
        numbers[source.name] = counts[source.name]
        for original in chosen if source.is_network and source.prompts else ():
            if not original.characters:
                continue
            shown = shown_characters(original)
            pair = resynthesizing(source, original, namespaces[original.name], suite.resyntheses, shown)
            images = pair.resynthesizes.count(counts[original.name]) if pair and pair.resynthesizes else 0
            if pair is not None and images:
                sources.append(pair)
                numbers[pair.name] = images
    return replace(suite, sources=tuple(sources)), numbers
