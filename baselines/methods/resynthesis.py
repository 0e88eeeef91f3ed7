"""``resynthesis``: training-free attribution (Bongini et al., WIFS 2025): who shows the picture most like it was?"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from ...benchmark.card import MethodCard
from ...benchmark.images import ImageSet
from ...benchmark.method import Context, register_method
from ...benchmark.options import above, at_least, one_of
from ...benchmark.scores import Scores
from ...core.documents import from_json, to_json
from ...core.errors import CheckpointError, UsageError
from ...core.progress import get_logger
from ..captioned_method import ReadsCaptions
from ..describers import BLIP, DATASET, NEAREST, wrong_captions
from ..encoders import build_encoder, unit_norm
from ..model_files import SETTINGS, WEIGHTS
from ..resynthesis.distances import DISTANCES
from ..resynthesis.inversion import SPACES
from ..resynthesis.prompt import Prompt
from ..resynthesis.rules import KINDS, Calibration, answers, rule_names
from ..resynthesis.setup import AUTO, TRAIN, WAYS, KnownSource, Setup
from ..resynthesis.way import Comparison, Found, Way
from ..trained import under
from ..training_images import check_training_images

NONE, WRONG = "none", "wrong-caption"


@register_method("resynthesis")
class Resynthesis(ReadsCaptions):
    """j* = argmin_j d(E(s_j(p(I))), E(I)): every source shows the image again, the one that comes nearest made it.

    ``via`` says how: ``prompt`` from a description, ``inversion`` from the image itself, ``reference`` not at all (the
    nearest of many pictures that the source made of other things). ``auto`` takes the first of them that all candidate
    sources can do. The candidates are the seen generators of the suite ``source`` (empty: the suite of the images), or
    ``source=FOLDER`` holds resyntheses that were made elsewhere, or ``source=train`` takes training images as
    references. Nothing is trained; the layer of the encoder and the rejection rules are set on seen validation images.
    """

    without_clip = "resynthesis"
    rejections: ClassVar[tuple[str, ...]] = rule_names(several_draws=True)
    defaults: ClassVar[dict[str, Any]] = {
        "via": AUTO,
        "source": "",
        "encoder": "efficientnet-lite0",
        "layer": AUTO,
        "distance": "cosine",
        "captions": DATASET,
        "captioner": BLIP,
        "control": NONE,
        "draws": 1,
        "references": 200,
        "space": "w+",
        "pool": 256,
        "starts": 1,
        "steps": 30,
        "rate": 0.1,
    }
    limits = {
        "via": one_of(AUTO, *WAYS),
        "distance": one_of(*DISTANCES),
        "control": one_of(NONE, WRONG),
        "draws": at_least(1),
        "references": at_least(1),
        "space": one_of(*SPACES),
        "pool": at_least(1),
        "starts": at_least(1),
        "steps": at_least(1),
        "rate": above(0),
    }
    card = MethodCard(
        title="Resynthesis",
        paper="Bongini et al., Training-free Source Attribution of AI-generated Images via Resynthesis, WIFS 2025",
        url="https://arxiv.org/abs/2510.24278",
        reproduction="partial",
        differs="another encoder and layer unless options name the paper's; inversion and references are ours",
        faithful=[
            "argmin over the sources of the distance between frozen features of the image and of its resynthesis",
            "P = softmax(-d): class scores are minus the distances (cosine, euclidean, manhattan or correlation)",
            "nothing is trained; via=prompt takes one resynthesis of a description by each source, as the paper does",
        ],
        deviations=[
            "the encoder is the one that 'encoder' names; the paper takes CLIP ViT-L/14 at 336 px (encoder=clip:...)",
            "layer=auto: the layer is chosen on seen validation images; the paper takes CLIP's joint embedding",
            "resyntheses by prompt and references are compressed and cropped by the suite's recipe, as the images were",
            (
                "via=inversion and via=reference are ours, for sources that take no text. Inversion sees a crop: it "
                "compares at every place where the crop may have lain, and takes an autoencoder's best of 16 places; "
                "what it finds is not compressed again"
            ),
            "the rejection rules (distance, gap, z-score; mean-... for several draws) are ours: it rejects nothing",
        ],
        licence="Apache-2.0 (own code); the encoder's weights are not shipped",
        published={},
        input_range="the encoder's own",
    )

    setup: Setup
    chosen_layer: str
    class_names: tuple[str, ...]
    crop_size: int
    calibrations: dict[str, Calibration]
    known_texts: tuple[str, ...] = ()
    _kept: dict[str, np.ndarray]
    _way: Way | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._seconds: dict[str, float] = {}
        self.training_free = self._needs_no_training_image()

    def _needs_no_training_image(self) -> bool:
        """Sources that show pictures need none; as references, or to find a caption, training images do count."""
        o = self.options
        shows = o["via"] in ("prompt", "inversion") or o["source"] not in ("", TRAIN)
        return shows and o["captions"] != NEAREST

    @property
    def label(self) -> str:
        """Way, encoder and control: rows of a board must not be taken for each other, nor for the paper's."""
        o = self.options
        parts = [o["via"] if o["via"] != AUTO else "", build_encoder(o["encoder"]).label]
        parts += [o["control"]] if o["control"] != NONE else []
        return f"resynthesis ({', '.join(part for part in parts if part)})"

    def described(self) -> MethodCard:
        encoder = build_encoder(self.options["encoder"])
        first = [] if encoder.name == "clip" else [self.deviation(encoder)]
        return replace(self.card, deviations=[*first, *self.card.deviations], input_range=encoder.preprocessing)

    @property
    def seconds_per_image(self) -> dict[str, float]:
        """Way and source -> mean seconds for one picture of that source when it was made."""
        return self._seconds | ({} if self._way is None else self._way.seconds_per_image)

    @property
    def comparison(self) -> Comparison:
        """The encoder on the method's device, and the distance."""
        return Comparison(self.encoder, self.options["distance"])

    @property
    def way(self) -> Way:
        """How the sources show pictures. CheckpointError if a source has other weights than at the fit."""
        if self._way is None:
            if self.setup.way == "reference":
                self._way = self.setup.kept(self.comparison, self.chosen_layer, self._kept)
            else:
                names, size = self.class_names, self.crop_size
                self._way = self.setup.open(self.options, names, size, self.comparison, self.device)
        return self._way

    def fit(self, train: ImageSet, val: ImageSet, context: Context) -> None:
        """Find the sources; set layer and rules on the validation images. What was made before is not made again."""
        check_training_images(train, val, context)
        self.to(context.device)
        self.class_names, self.crop_size = context.class_names, train.crop_size
        self.setup = Setup.of(self.options, train, context)
        get_logger().info("resynthesis: via %s, sources of %s", self.setup.way, self.setup.suite)
        self._refuse_idle_control()
        names, size = self.class_names, self.crop_size
        self._way = self.setup.open(self.options, names, size, self.comparison, self.device, train)
        if self.way.reads_texts:
            self.learn_captions(train, val)
            self.known_texts = tuple(sorted(set(self.describer.of(val.pixels))))
        self.rejections = rule_names(self.way.draws > 1)  # type: ignore[misc]
        layers = self.encoder.layers if self.options["layer"] == AUTO else (self.layer,)
        found = {layer: self._by_class(one) for layer, one in self._measured(val.pixels, layers).items()}
        self.chosen_layer = _best_layer(found, val.class_index, self.encoder.default_layer)
        self.calibrations = {kind: Calibration.of(d, val.class_index) for kind, d in found[self.chosen_layer].items()}
        self._kept = self.way.arrays(self.chosen_layer)

    def predict(self, images: np.ndarray, captions: Sequence[str | None] | None = None) -> dict[str, Scores]:
        """Answers for uint8 (N, S, S, 3); a caption is taken where the way reads texts."""
        if images.ndim != 4 or images.shape[1:] != (self.crop_size, self.crop_size, 3):
            raise UsageError(
                f"{self.name} was fitted on crops of {self.crop_size} x {self.crop_size} px, these images are "
                f"{tuple(images.shape[1:])}"
            )
        if self.way.reads_texts:
            self.tell_captions(images, captions)
        found = self._measured(images, (self.chosen_layer,))[self.chosen_layer]
        return answers(self._by_class(found), self.calibrations)

    def _measured(self, images: np.ndarray, layers: Sequence[str]) -> Found:
        texts = self.describer.of(images) if self.way.reads_texts else [""] * len(images)
        if self.options["control"] == WRONG:
            texts = wrong_captions(texts, self.known_texts, self.setup.seed)
        return self.way.measured(images, texts, layers)

    def _by_class(self, found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Distances (N, sources) -> (N, classes): a generator is as near as the nearest of its sources."""
        index = self.way.class_index
        columns = range(len(self.class_names))
        return {kind: np.stack([d[:, index == k].min(1) for k in columns], axis=1) for kind, d in found.items()}

    def _refuse_idle_control(self) -> None:
        control, way = self.options["control"], self.setup.way
        if control != NONE and way != Prompt.name:
            raise UsageError(f"control={control} is for via=prompt: via={way} reads no caption.")

    def enroll(self, images: np.ndarray, class_name: str) -> Self:
        """The images are references of one source more; the references of the others show how far known images are."""
        if self.setup.way != "reference":
            raise UsageError(
                f"{self.name} via={self.setup.way} needs a source that shows pictures again, and a few images do not: "
                "via=reference takes them."
            )
        joined = copy.copy(self)
        joined.class_names = (*self.class_names, class_name)
        joined.setup = replace(
            self.setup, sources=(*self.setup.sources, KnownSource(class_name, len(self.class_names)))
        )
        kept = self.setup.kept(self.comparison, self.chosen_layer, self._kept)
        features = self.encoder.encode(images, self.chosen_layer)
        way = kept.with_source(class_name, len(self.class_names), self.chosen_layer, features)
        joined._way, joined._kept = way, way.arrays(self.chosen_layer)
        last = len(way.sources) - 1
        labels = way.class_index[way.number[way.number != last]]
        found = way.distances_of_known(self.chosen_layer, last)
        new = {kind: Calibration.of(d[:, None], labels) for kind, d in zip(KINDS, found, strict=True)}
        joined.calibrations = {
            kind: Calibration(np.append(one.mean, new[kind].mean), np.append(one.std, new[kind].std))
            for kind, one in self.calibrations.items()
        }
        return joined

    def embed(self, images: np.ndarray) -> np.ndarray:
        """float32 (N, D), unit norm: the features that pictures are compared by."""
        return unit_norm(self.encoder.encode(images, self.chosen_layer))

    def save(self, folder: Path) -> None:
        """``method.json``: options, sources and captions; ``model.safetensors``: calibration and references."""
        tensors = {f"way.{name}": np.ascontiguousarray(array) for name, array in self._kept.items()}
        if self.way.reads_texts:
            tensors |= {f"describer.{name}": array for name, array in self.describer.arrays().items()}
        for kind, one in self.calibrations.items():
            tensors |= {f"{kind}.mean": one.mean, f"{kind}.std": one.std}
        save_file(tensors, folder / WEIGHTS)
        settings = {
            "options": self.options,
            "class_names": self.class_names,
            "crop_size": self.crop_size,
            "rejections": self.rejections,
            "layer": self.chosen_layer,
            "encoder_sha256": self.encoder.sha256,
            "setup": to_json(self.setup),
            "known_texts": self.known_texts,
            "seconds_per_image": self.seconds_per_image,
        }
        (folder / SETTINGS).write_text(json.dumps(settings, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The method as it was saved, on the CPU. CheckpointError if a file is missing or does not fit."""
        try:
            settings = json.loads((folder / SETTINGS).read_text())
            tensors = load_file(folder / WEIGHTS)
            method = cls(**settings["options"])
            method.class_names, method.crop_size = tuple(settings["class_names"]), settings["crop_size"]
            method.rejections = tuple(settings["rejections"])  # type: ignore[misc]
            method.expect(settings["encoder_sha256"])
            method.chosen_layer, method.known_texts = settings["layer"], tuple(settings["known_texts"])
            method._seconds = dict(settings["seconds_per_image"])
            method.setup = from_json(Setup, settings["setup"], f"{folder / SETTINGS}, setup", CheckpointError)
            method._kept = under("way.", tensors)
            described = under("describer.", tensors)
            if described:
                method.describer.restore(described)
            kinds = [kind for kind in KINDS if f"{kind}.mean" in tensors]
            method.calibrations = {k: Calibration(tensors[f"{k}.mean"], tensors[f"{k}.std"]) for k in kinds}
        except (OSError, KeyError, ValueError, TypeError, SafetensorError) as error:
            raise CheckpointError(f"{folder} holds no usable {cls.name} model: {error}") from error
        return method

    def to(self, device: torch.device) -> Self:
        if device != self.device:
            self._seconds, self._way = self.seconds_per_image, None
        return super().to(device)


def _best_layer(found: Found, labels: np.ndarray, default: str) -> str:
    """The layer by whose nearest distance most images go to their own class, every class counting alike."""
    weights = 1 / np.bincount(labels)[labels]

    def accuracy(layer: str) -> float:
        return float(weights[found[layer]["nearest"].argmin(1) == labels].sum())

    best = max(map(accuracy, found))
    winners = [layer for layer in found if accuracy(layer) >= best - 1e-9]
    return default if default in winners else winners[0]
