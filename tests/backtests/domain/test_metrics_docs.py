"""docs/metrics.md holds every figure with the formula that the code gives."""

from pathlib import Path

import pytest

from backtests.domain.metrics import METRICS
from backtests.domain.metrics.others import OTHERS

DOCS = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text()


@pytest.mark.parametrize("figure", [*METRICS, *OTHERS], ids=lambda figure: figure.key)
def test_a_figure_is_described_as_it_is_computed(figure):
    formula = " ".join(figure.formula.split()).replace("|", "\\|")
    assert f"| {figure.title} | {formula} |" in DOCS


@pytest.mark.parametrize("source", sorted({other.source for other in OTHERS}))
def test_the_source_of_other_programs_figures_is_named(source):
    assert source in DOCS
