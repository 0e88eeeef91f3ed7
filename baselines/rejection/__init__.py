"""Rejection rules: how a trained network says "unknown". Every module in this folder registers one rule.

Rules see cached features and logits only, never images, so one training run yields a row for every rule.
"""

import importlib
import pkgutil

from .rule import Activations, LinearHead, RejectionRule, build_rule, register_rule, rule_names

__all__ = ["Activations", "LinearHead", "RejectionRule", "build_rule", "register_rule", "rule_names"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
