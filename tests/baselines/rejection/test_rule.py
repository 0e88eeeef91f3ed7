import pytest

from osbench.baselines.rejection import build_rule, rule_names
from osbench.core.errors import UsageError

pytestmark = pytest.mark.numeric


def test_every_rule_has_a_name_and_a_docstring():
    assert {"never", "msp", "centroid-sigma"} <= set(rule_names())
    for name in rule_names():
        assert build_rule(name).name == name
        assert type(build_rule(name)).__doc__


def test_unknown_rules_are_usage_errors():
    with pytest.raises(UsageError, match="Did you mean 'msp'"):
        build_rule("mps")
