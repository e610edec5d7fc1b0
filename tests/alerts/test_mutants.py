"""The search for untested rules finds what it should; all rules are searched by `make rules-mutants`."""

from __future__ import annotations

from tests.alerts import mutants, table
from tests.alerts.promtool import promtool_required


def test_every_change_of_a_rule_is_noticed() -> None:
    promtool_required()
    chosen = list(mutants.mutants("KeycloakDown", table.rules()["KeycloakDown"]))
    assert {mutant.kind for mutant in chosen} == {"threshold", "comparison", "aggregation", "metric", "label", "for"}
    assert mutants.survivors(chosen) == []


def test_a_rule_whose_tests_say_nothing_is_found() -> None:
    promtool_required()
    rule = table.rules()["KeycloakDown"]
    same = mutants.Mutant("KeycloakDown", "threshold", "0 → 0.0", {**rule, "expr": rule["expr"].replace("0", "0.0")})
    assert mutants.survivors([same]) == [same]
