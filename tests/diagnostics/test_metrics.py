"""The registry: complete, sound in itself, light, and what docs/metrics.md is made from."""

import subprocess
import sys

import pytest

from make.metrics import as_markdown
from spadam.diagnostics.former_names import FORMER, present, renamed
from spadam.diagnostics.metrics import METRICS, lookup
from spadam.spec import InputError
from support.paths import ROOT

GROUPS: dict[str, list[str]] = {
    "data": ["gamma", "scale", "target_scale"],
    "train": ["mse", "fvu", "mse_training_code", "fvu_training_code", "loss_stream"],
    "val": ["mse", "fvu", "fvu_median_sample"],
    "test": ["mse", "fvu", "mse_training_code", "fvu_training_code"],
    "sparsity": [
        "l0_train",
        "l0_eval",
        "fired",
        "rows_touched",
        "rows_touched_expected",
        "rows_intermittent",
        "samples_per_row",
        "row_age",
        "dead",
        "dead_fired",
        "silent",
        "density_histogram",
        "usage_entropy",
    ],
    "optim": ["update_rms", "eps_bound", "clipped", "clip_factor"],
    "selection": ["certified", "widenings"],
    "probe": [
        "online_accuracy",
        "train_accuracy",
        "val_accuracy",
        "test_accuracy",
        "converged",
        "l2",
        "baseline_pixels",
        "baseline_untrained",
    ],
    "time": ["step_ms", "optimizer_ms", "probe_s"],
}
NAMES = {f"{group}/{name}" for group, names in GROUPS.items() for name in names}


def test_of_which_more_is_good_and_of_which_less() -> None:
    accuracies = {name for name in METRICS if name.endswith("_accuracy") or "baseline" in name}
    assert {name for name, metric in METRICS.items() if metric.larger_is_better} == accuracies
    small = {name for name, metric in METRICS.items() if metric.has_good_side} - accuracies
    assert small >= {
        "test/fvu",
        "train/loss_stream",
        "sparsity/dead",
        "sparsity/dead_fired",
        "sparsity/silent",
        "time/step_ms",
    }
    assert not small & {"sparsity/l0_eval", "sparsity/rows_touched", "optim/eps_bound", "probe/l2"}


def test_names_are_those_of_the_design() -> None:
    assert set(METRICS) == NAMES


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_described(name: str) -> None:
    metric = METRICS[name]
    assert metric.name == name
    assert metric.unit
    assert metric.over
    assert metric.formula.endswith(".")
    assert "|" not in metric.over + metric.formula  # it would end a cell of the table


def test_nothing_is_searched_on_test_by_time_or_by_an_array() -> None:
    refused = {name for name, metric in METRICS.items() if not metric.searchable}
    assert {name for name in METRICS if name.startswith(("test/", "time/"))} <= refused
    assert {"probe/test_accuracy", "sparsity/density_histogram"} <= refused
    assert not refused & {"val/fvu", "val/mse", "probe/val_accuracy", "probe/online_accuracy", "sparsity/dead"}


def test_refit_marks_what_only_the_regression_gives() -> None:
    probe = {name for name in METRICS if name.startswith("probe/")} - {"probe/online_accuracy"}
    assert {name for name, metric in METRICS.items() if metric.refit} == probe | {"time/probe_s"}


def test_names_and_fields_agree() -> None:
    for name, metric in METRICS.items():
        group, _, rest = name.partition("/")
        if group in ("train", "val", "test") and rest != "loss_stream":
            assert metric.split == group
        assert metric.labels == (group == "probe" or name == "time/probe_s")
        assert metric.labels or not metric.refit
        assert (metric.split == "test") == (group == "test" or name == "probe/test_accuracy")
    on_validation = {name for name, metric in METRICS.items() if metric.split == "val"}
    evaluated = {"l0_eval", "fired", "dead", "dead_fired", "density_histogram", "usage_entropy"}
    errors = {"val/mse", "val/fvu", "val/fvu_median_sample"}
    assert on_validation == {*errors, "probe/val_accuracy", *(f"sparsity/{name}" for name in evaluated)}


def test_lookup_finds_or_suggests() -> None:
    assert lookup("val/fvu") is METRICS["val/fvu"]
    with pytest.raises(InputError, match="did you mean val/fvu") as near:
        lookup("val/fuv", "objective.metric")
    assert (near.value.argument, near.value.value) == ("objective.metric", "val/fuv")
    with pytest.raises(InputError, match=r"docs/metrics\.md"):
        lookup("zzz")


def test_old_names_have_new_ones_and_are_no_metrics() -> None:
    assert set(FORMER.values()) <= set(METRICS)
    assert not set(FORMER) & set(METRICS)
    row = {"step": 3, "sparsity/dead_1e5": 0.5, "val/fvu": 0.25}
    assert renamed(row) == {"step": 3, "sparsity/silent": 0.5, "val/fvu": 0.25}
    assert present("sparsity/dead_1e5") == present("sparsity/silent") == "sparsity/silent"


def test_the_page_says_who_counts_how() -> None:
    page = as_markdown()
    assert all(who in page for who in ("SAELens", "dictionary_learning", "sparsify", "OpenAI"))
    counting = page[page.index("## Who counts how") :]
    assert all(
        name in counting for name in ("sparsity/dead`", "sparsity/dead_fired", "sparsity/silent", "silent_after")
    )


def test_documentation_is_made_from_the_registry() -> None:
    assert (ROOT / "docs/metrics.md").read_text(encoding="utf-8") == as_markdown()


def test_making_it_writes_the_page_and_needs_nothing_heavy() -> None:
    script = (
        "import runpy, sys\nsys.path.insert(0, 'docs')\nrunpy.run_module('make.metrics', run_name='__main__')\n"
        "assert not {'torch', 'numpy', 'scipy'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], cwd=ROOT, capture_output=True, check=True)
    assert done.stdout.decode() == as_markdown()
