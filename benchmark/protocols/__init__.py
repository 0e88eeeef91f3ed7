"""Who is known: a protocol is one YAML file, in this folder or anybody's own.

::

    name: mine                            # without it, the name of the file
    description: one paragraph            # may be left out
    unseen:                               # one of these three, or ``unseen: none`` where there are shots
      generators: [midjourney, flux]      # one fold, named like the protocol
      architectures: [StyleGAN, ...]      # the same, by the architectures that the catalog gives the generators
      choose: 2                           # one fold for every choice of so many generators
    hold_out: training_set                # or weights, or absent; with it, one fold for each that can be held out
    ratios: [0.8, 0.1, 0.1]               # train, val, test inside every source; these where nothing is said
    group: character                      # or absent; images of one value are in one split, whoever made them
    group_seed: 8375                      # shuffles the groups as NumPy's RandomState does; without it, by their hash
    shots: [1, 2, 5]                      # or absent; training images of a seen generator, one fold each
    repeats: 5                            # how often they are drawn anew, one fold each
    classes: [5, 10]                      # or absent (all); how many generators are seen, one fold each

A fold of a choosing protocol is named ``rotate/stylegan+taming``: the protocol, then its unseen generators in
alphabetical order. A fold that holds something out ends in its name: ``cross-content/emoji``, and both together are
``mine/stylegan+taming/w2``. What can be held out: :mod:`.holding_out`. A fold with few shots ends in them:
``fewshot/shots=5,repeat=2``, or ``fewshot/classes=6,shots=5,repeat=2`` where some generators that could be seen are
left out.

A protocol that somebody brings is stored with the manifests of the data set, and known there by its name.
"""

from .files import load_protocol, protocol_names, read_protocol, store_protocol
from .fold import Fold
from .holding_out import Learned
from .protocol import Protocol, Unseen

__all__ = [
    "Fold",
    "Learned",
    "Protocol",
    "Unseen",
    "load_protocol",
    "protocol_names",
    "read_protocol",
    "store_protocol",
]
