from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from math import comb
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from osbench.benchmark.protocols import (
    Fold,
    Learned,
    Protocol,
    Unseen,
    load_protocol,
    protocol_names,
    read_protocol,
    store_protocol,
)
from osbench.core.errors import DatasetError, UsageError
from osbench.generation.catalog import load_suite

SEVEN = ["latent_diffusion", "progan", "projected_gan", "stylegan", "stylegan2", "stylegan3", "taming"]


def test_every_protocol_file_loads_under_its_own_name() -> None:
    assert {"fang2023", "rotate", "rotate-one", "cross-content", "cross-weights"} <= set(protocol_names())
    for name in protocol_names():
        protocol = load_protocol(name)
        assert protocol.name == name
        assert len(protocol.description) > 40
        assert sum(protocol.shares) == 1


def test_fang2023_holds_out_the_papers_architectures_in_the_mini_suite() -> None:
    architectures = {source.generator: source.architecture for source in load_suite("mini").sources}
    folds = load_protocol("fang2023").folds(architectures)
    assert [(fold.name, fold.unseen) for fold in folds] == [("fang2023", ("latent_diffusion", "stylegan"))]


def test_fang2023_knows_a_generator_by_its_plain_name() -> None:
    fold = load_protocol("fang2023").fold(["stable_diffusion", "stylegan", "stylegan2", "progan"])
    assert fold.unseen == ("stable_diffusion", "stylegan")


def test_fang2023_needs_every_unseen_architecture() -> None:
    with pytest.raises(DatasetError, match=r"holds out Stable Diffusion, but no generator") as caught:
        load_protocol("fang2023").folds(["stylegan", "stylegan2", "progan"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "count"), [("rotate", 21), ("rotate-one", 7)])
def test_rotations_hold_out_every_choice_once(name: str, count: int) -> None:
    folds = load_protocol(name).folds(SEVEN)
    assert len(folds) == len({fold.unseen for fold in folds}) == count
    assert len({fold.name for fold in folds}) == count
    # Each generator is unseen equally often.
    appearances = [sum(g in fold.unseen for fold in folds) for g in SEVEN]
    assert len(set(appearances)) == 1


def test_a_fold_has_a_long_and_a_short_name() -> None:
    protocol = load_protocol("rotate")
    assert protocol.fold(SEVEN, "rotate/stylegan+taming") == protocol.fold(SEVEN, "stylegan+taming")
    assert protocol.fold(SEVEN, "stylegan+taming").unseen == ("stylegan", "taming")


def test_a_wrong_or_missing_fold_names_the_choices() -> None:
    protocol = load_protocol("rotate-one")
    with pytest.raises(UsageError, match=r"7 folds; choose one: latent_diffusion, progan"):
        protocol.fold(SEVEN)
    with pytest.raises(UsageError, match=r"Did you mean 'taming'"):
        protocol.fold(SEVEN, "tamming")


def test_an_unknown_protocol_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean 'fang2023'"):
        load_protocol("fang2032")


GOOD = {"name": "mine", "description": "d", "unseen": {"choose": 1}, "ratios": [0.8, 0.1, 0.1]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unseen": {"people": ["x"]}}, "below unseen 'people'. Known: architectures, choose, generators."),
        ({"unseen": {}}, "unseen: say who is unseen, in one way"),
        ({"unseen": {"architectures": []}}, "without an unseen generator there is nothing to refuse"),
        ({"unseen": {"generators": []}}, "without an unseen generator there is nothing to refuse"),
        ({"unseen": {"architectures": ["A"], "choose": 2}}, "in one way"),
        ({"unseen": {"architectures": ["A"], "generators": ["a"]}}, "in one way"),
        ({"unseen": {"architectures": "StyleGAN"}}, "unseen.architectures is 'StyleGAN'; expected a list."),
        ({"unseen": {"generators": [7]}}, "unseen.generators[0] is 7; expected text"),
        ({"unseen": {"generators": ["a", "a"]}}, "unseen.generators names something twice"),
        ({"unseen": {"choose": "two"}}, "unseen.choose is 'two'; expected a whole number"),
        ({"unseen": ["StyleGAN"]}, "unseen is the list ['StyleGAN']; expected names and values"),
        ({"ratio": [1]}, "'ratio'. Did you mean 'ratios'?"),
        ({"ratios": [0.8, 0.2]}, "ratios is the list [0.8, 0.2]; expected a list of 3."),
        ({"ratios": [0.8, 0.1, 0.2]}, "ratios must add up to 1, not to 1.1"),
        ({"ratios": [1, 0, 0]}, "ratios must be three numbers between 0 and 1"),
        ({"ratios": [0.8, 0.1, ".nan"]}, "ratios[2] is '.nan'; expected a number"),
        ({"hold_out": "generator"}, "hold_out is 'generator'; expected one of training_set, weights"),
        ({"description": None}, "description is null; expected text"),
        ({"unseen": "none"}, "'unseen: none' needs 'shots'"),
        ({"unseen": "nobody"}, "unseen is 'nobody'; expected names and values or one of none."),
        ({"shots": [1], "hold_out": "training_set"}, "'shots' and 'hold_out' do not go together"),
        ({"repeats": 2}, "'repeats' and 'classes' belong to 'shots'"),
        ({"classes": [2]}, "'repeats' and 'classes' belong to 'shots'"),
        ({"shots": [1], "classes": [1, 2]}, "'classes' must be at least 2 each"),
        ({"shots": [0]}, "shots[0] is 0; expected at least 1"),
        ({"shots": [1, 1]}, "shots names something twice"),
        ({"shots": 5}, "shots is 5; expected a list"),
        ({"group_seed": 8375}, "'group_seed' shuffles groups: say which column"),
        ({"group": ["character"]}, "group is the list ['character']; expected text"),
        ({"name": "../mine"}, "'../mine' cannot name a protocol"),
        ({"name": "mine.yaml"}, "'mine.yaml' cannot name a protocol"),
    ],
)
def test_a_protocol_file_that_says_something_else_is_refused(tmp_path: Path, change: dict, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**GOOD, **change}))
    with pytest.raises(UsageError) as caught:
        read_protocol(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_protocol_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(GOOD))
    assert [fold.unseen for fold in read_protocol(path).folds("abc")] == [("a",), ("b",), ("c",)]
    for text, message in (
        ("[]", "mine.yaml: holds the list []; expected names and values"),
        ("{name: x", "not readable YAML"),
        ("name: x\ndescription: d\nratios: [0.8, 0.1, 0.1]\n", "mine.yaml: unseen is missing"),
    ):
        path.write_text(text)
        with pytest.raises(UsageError, match=re.escape(message)):
            read_protocol(path)


def test_unseen_generators_are_all_that_a_protocol_file_must_say(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("unseen: {generators: [midjourney, flux]}\n")
    protocol = load_protocol(path)
    assert protocol == load_protocol(str(path)) == Protocol("mine", Unseen(generators=("midjourney", "flux")))
    assert protocol.folds(["flux", "midjourney", "sdxl", "dalle"]) == [Fold("mine", ("flux", "midjourney"))]
    assert protocol.shares == (Fraction(8, 10), Fraction(1, 10), Fraction(1, 10))
    with pytest.raises(UsageError) as caught:
        protocol.folds(["flux", "midjorney", "sdxl", "dalle"])
    assert str(caught.value) == (
        "unknown generator under 'unseen' of protocol mine 'midjourney'. Did you mean 'midjorney'? "
        "Known: dalle, flux, midjorney, sdxl."
    )
    with pytest.raises(DatasetError, match="at least two seen generators besides its 2 unseen"):
        protocol.folds(["flux", "midjourney", "sdxl"])


def test_a_generator_is_unseen_by_its_own_name_only() -> None:
    """A generator and another one's architecture may have one name."""
    table = {"stylegan": "StyleGAN", "ours": "stylegan", "a": "A", "b": "B"}
    assert Protocol.of_unseen(["stylegan"]).folds(table)[0].unseen == ("stylegan",)
    assert Protocol("p", Unseen(architectures=("stylegan",))).folds(table)[0].unseen == ("ours", "stylegan")


def test_a_protocol_of_unseen_generators_has_a_name() -> None:
    assert Protocol.of_unseen(["b", "a", "b"]) == Protocol("unseen-a+b", Unseen(generators=("a", "b")))
    assert Protocol.of_unseen(["a"], name="mine").name == "mine"
    many = [f"generator{i}" for i in range(50)]
    assert len(Protocol.of_unseen(many).name) < 40
    assert len(Protocol.of_unseen(["a b/c"]).name) < 40
    assert Protocol.of_unseen(many).name != Protocol.of_unseen(many[1:]).name
    for names, name, message in (([], None, "say who is unseen"), (["a"], "a/b", "'a/b' cannot name a protocol")):
        with pytest.raises(UsageError, match=message):
            Protocol.of_unseen(names, name)


def test_few_shots_of_closed_and_open_sets() -> None:
    fewshot = load_protocol("fewshot")
    assert (fewshot.unseen, fewshot.group, fewshot.group_seed) == ("none", "character", 8375)
    assert len(fewshot.folds("abcde")) == 20 * 5
    assert len(fewshot.folds("abcdefg")) == 3 * 20 * 5
    assert len(fewshot.folds([f"g{i:02}" for i in range(20)])) == 10 * 20 * 5
    opened = load_protocol("fewshot-open").folds("abcde")
    assert [fold.unseen for fold in opened[:: 5 * 5]] == [(name,) for name in "abcde"]
    assert opened[0].name == "fewshot-open/a,shots=1,repeat=0"
    assert {fold.seen for fold in opened[: 5 * 5]} == {("b", "c", "d", "e")}


def test_few_shots_need_two_generators_with_images() -> None:
    with pytest.raises(
        DatasetError, match="training images of two seen generators at least; this dataset has some of a"
    ):
        load_protocol("fewshot").folds("abc", images={"a": 3})
    with pytest.raises(DatasetError, match=r"fold fewshot/shots=3,repeat=0 needs 3 training images .* and b has fewer"):
        load_protocol("fewshot").fold("ab", "shots=3,repeat=0", images={"a": 3, "b": 2})
    with pytest.raises(UsageError, match=r"100 folds; choose one: shots=1,repeat=0, .* and 50 more\."):
        load_protocol("fewshot").fold("ab")


@pytest.mark.parametrize("name", protocol_names())
def test_what_is_stored_is_read_again(name: str, tmp_path: Path) -> None:
    protocol = replace(load_protocol(name), name=f"my-{name}")
    path = store_protocol(protocol, tmp_path / "manifests")
    assert path is not None
    assert path == tmp_path / "manifests" / f"my-{name}.yaml"
    assert read_protocol(path) == protocol
    assert load_protocol(f"my-{name}", [tmp_path, tmp_path / "manifests"]) == protocol
    with pytest.raises(UsageError, match=f"Did you mean 'my-{name}'"):
        load_protocol(f"my-{name}s", [tmp_path / "manifests"])
    assert store_protocol(load_protocol(name), tmp_path / "none") is None
    assert not (tmp_path / "none").exists()


def test_a_stored_protocol_that_is_known_is_not_written_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("# a comment\nunseen: {generators: [a]}\n")
    assert store_protocol(Protocol.of_unseen(["a"], "mine"), tmp_path) == path
    assert path.read_text().startswith("# a comment")
    assert not caplog.text
    store_protocol(Protocol.of_unseen(["b"], "mine"), tmp_path)
    assert load_protocol("mine", [tmp_path]) == Protocol.of_unseen(["b"], "mine")
    assert f"{path} said something else and is replaced" in caplog.text


def test_nobody_takes_the_name_of_a_packaged_protocol(tmp_path: Path) -> None:
    path = tmp_path / "fang2023.yaml"
    path.write_text("unseen: {generators: [a]}\n")
    for one in (path, Protocol.of_unseen(["a"], "rotate")):
        with pytest.raises(UsageError, match="has the name of the packaged protocol"):
            load_protocol(one)
    path.write_text("unseen: {architectures: [StyleGAN, Stable Diffusion]}\n")
    assert load_protocol(path).name == "fang2023"
    (tmp_path / "other.yaml").write_text("name: mine\nunseen: {choose: 1}\n")
    with pytest.raises(UsageError, match=r"other.yaml: holds protocol mine under another name"):
        load_protocol("other", [tmp_path])


def test_a_protocol_has_no_more_folds_than_anybody_can_use() -> None:
    with pytest.raises(DatasetError, match="has 155,117,520 folds over 30 generators; at most 10,000 do"):
        Protocol("many", Unseen(choose=15)).folds([f"g{i}" for i in range(30)])


@given(st.sets(st.text("abcdefgh", min_size=1, max_size=4), min_size=4, max_size=9))
def test_rotations_do_not_depend_on_the_order_of_the_generators(names: set[str]) -> None:
    protocol = load_protocol("rotate")
    folds = protocol.folds(sorted(names, reverse=True))
    assert folds == protocol.folds(sorted(names))
    assert len(folds) == comb(len(names), 2)


TWO_CONTENTS = [Learned(generator, content) for generator in SEVEN for content in ("landscape", "emoji")]
MINI = {source.generator: source.architecture for source in load_suite("mini").sources}


def test_cross_content_holds_each_training_set_out_once() -> None:
    protocol = load_protocol("cross-content")
    folds = protocol.folds(MINI, TWO_CONTENTS)
    unseen = ("latent_diffusion", "stylegan")
    assert folds == [Fold(f"cross-content/{content}", unseen, content) for content in ("emoji", "landscape")]
    assert protocol.fold(MINI, "emoji", TWO_CONTENTS) == protocol.fold(MINI, "cross-content/emoji", TWO_CONTENTS)
    with pytest.raises(UsageError, match="2 folds; choose one: emoji, landscape"):
        protocol.fold(MINI, None, TWO_CONTENTS)
    with pytest.raises(UsageError, match="Did you mean 'emoji'"):
        protocol.fold(MINI, "emojis", TWO_CONTENTS)


def test_the_papers_sources_give_fourteen_contents() -> None:
    sources = load_suite("fang2023").sources
    architectures = {source.generator: source.architecture for source in sources}
    folds = load_protocol("cross-content").folds(
        architectures, [Learned(source.generator, source.training_set) for source in sources]
    )
    held_out = {fold.held_out for fold in folds}
    assert len(folds) == len(held_out) == 14
    assert held_out & {source.training_set for source in sources if source.generator == "stylegan"} == {
        "ffhq",
        "lsun-bedroom",
        "lsun-car",
    }
    assert "none" not in held_out  # of Stable Diffusion alone
    assert "celebahq" not in held_out  # of StyleGAN alone


def test_a_training_set_that_would_empty_a_class_gives_no_fold() -> None:
    protocol = load_protocol("cross-content")
    sources = [source for source in TWO_CONTENTS if source != Learned("taming", "emoji")]
    assert [fold.held_out for fold in protocol.folds(MINI, sources)] == ["emoji"]
    assert protocol.fold(MINI, None, sources).held_out == "emoji"
    for name in ("landscape", "cross-content/landscape"):
        with pytest.raises(DatasetError, match="would leave no training image of taming: generate"):
            protocol.fold(MINI, name, sources)
    # An unseen generator has no training image to lose.
    assert len(protocol.folds(MINI, [source for source in TWO_CONTENTS if source != Learned("stylegan", "emoji")])) == 2


def test_a_single_training_set_cannot_be_held_out() -> None:
    with pytest.raises(DatasetError, match=r"\(landscape\) is the only one of a seen generator \(progan, ") as caught:
        load_protocol("cross-content").folds(MINI, [Learned(generator, "landscape") for generator in SEVEN])
    assert "generate a second training set for those" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_protocols_do_not_look_at_training_sets() -> None:
    for name in ("fang2023", "rotate", "rotate-one"):
        folds = load_protocol(name).folds(MINI, TWO_CONTENTS)
        assert folds == load_protocol(name).folds(MINI)
        assert not any(fold.held_out for fold in folds)


@given(st.sets(st.tuples(st.sampled_from(SEVEN), st.sampled_from("abcd")), min_size=1))
def test_a_training_set_is_held_out_exactly_if_every_class_keeps_an_image(pairs: set[tuple[str, str]]) -> None:
    seen = {g for g in SEVEN if g not in ("latent_diffusion", "stylegan")}
    possible = [
        held_out
        for held_out in sorted({t for g, t in pairs if g in seen})
        if all(any(t != held_out for g, t in pairs if g == one) for one in {g for g, _ in pairs} & seen)
    ]
    sources = [Learned(g, t) for g, t in pairs]
    if possible:
        folds = load_protocol("cross-content").folds(MINI, sources)
        assert [fold.held_out for fold in folds] == possible
    else:
        with pytest.raises(DatasetError, match="can hold no training set out"):
            load_protocol("cross-content").folds(MINI, sources)


def test_too_few_generators_for_two_seen_ones() -> None:
    with pytest.raises(DatasetError, match="at least two seen generators"):
        load_protocol("rotate").folds(["a", "b", "c"])
    with pytest.raises(DatasetError, match="at least two seen generators"):
        load_protocol("rotate").folds([])


THREE = [Learned(g, "pictures", w) for g in SEVEN for w in ("w0", "w1", "w2")]
PICTURES = Learned("untouched", "pictures", network=False)
MATCHED = MINI | {"untouched": "no network"}


def test_cross_weights_holds_each_weight_out_once() -> None:
    protocol = load_protocol("cross-weights")
    folds = protocol.folds(MATCHED, [*THREE, PICTURES])
    unseen = ("latent_diffusion", "stylegan")
    assert folds == [Fold(f"cross-weights/w{k}", unseen, f"w{k}", "weights") for k in range(3)]
    assert protocol.fold(MATCHED, "w1", [*THREE, PICTURES]) == folds[1]


def test_held_out_weights_and_every_choice_of_unseen_generators_together() -> None:
    protocol = Protocol("mine", Unseen(choose=2), hold_out="weights")
    folds = protocol.folds(MINI, THREE)
    assert len({fold.name for fold in folds}) == len(folds) == 21 * 3
    assert folds[0] == Fold("mine/latent_diffusion+progan/w0", ("latent_diffusion", "progan"), "w0", "weights")
    assert {fold.unseen for fold in folds} == {fold.unseen for fold in load_protocol("rotate").folds(MINI)}


def test_every_seen_family_needs_a_third_weight() -> None:
    protocol = load_protocol("cross-weights")
    two = [one for one in THREE if one != Learned("taming", "pictures", "w2")]
    with pytest.raises(DatasetError, match=r"taming has w0 w1\): take the suite mini-matched, or give .* 'weights_id"):
        protocol.folds(MINI, two)
    with pytest.raises(DatasetError, match=r"can hold no weights out: .* \(latent_diffusion has one, progan has one"):
        protocol.folds(MINI, [Learned(name, "landscape") for name in SEVEN])
    # An unseen family is not trained: it may have any number.
    assert len(protocol.folds(MINI, [one for one in THREE if one != Learned("stylegan", "pictures", "w2")])) == 3


def test_only_weights_that_everybody_has_are_held_out() -> None:
    more = [*THREE, Learned("progan", "pictures", "w3")]
    protocol = load_protocol("cross-weights")
    assert [fold.held_out for fold in protocol.folds(MINI, more)] == ["w0", "w1", "w2"]
    with pytest.raises(DatasetError, match="fold cross-weights/w3: every seen generator needs 3 weights of the same"):
        protocol.fold(MINI, "w3", more)


def test_a_protocol_of_unseen_generators_may_hold_out_too() -> None:
    mine = Protocol.of_unseen(["taming"], hold_out="weights")
    assert (mine.name, mine.hold_out) == ("unseen-taming-across-weights", "weights")
    assert len(mine.folds(MINI, THREE)) == 3
