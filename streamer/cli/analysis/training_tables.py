"""What ``streamer train`` prints of its comparisons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from schemas.bundle.manifest import Manifest, VariantFigures

FIGURES = ("auroc", "pr_auc", "log_loss", "brier", "ece")


def ablation_table(ablation: Sequence[VariantFigures]) -> Iterator[str]:
    """A line for each variant, with how far its log loss is behind the best and how sure that is."""
    yield _line("variant", [*FIGURES, "behind"])
    for one in ablation:
        values = [f"{getattr(one, name):.4f}" for name in FIGURES]
        yield _line(one.variant, [*values, f"{one.behind:.4f} ± {one.behind_error:.4f}"])


def decline_lines(manifest: Manifest) -> Iterator[str]:
    """How well decline is foretold, and how losses are found; nothing for a bundle of absence."""
    if manifest.definition == "absence":
        return
    auroc, n = (manifest.metrics[f"validation_decline_{name}"] for name in ("auroc", "n"))
    yield f"decline within {manifest.risk_days:g} days: AUROC {auroc:.3f} on {n:,.0f} validation questions"
    loss = manifest.expected_loss
    if loss is None:
        yield "expected loss: none, as the events have no amounts; alerts go by the probability of a decline"
        return
    yield f"expected loss: by {loss.method}, times {loss.scale:g}"
    if loss.methods:
        yield _line("method", ["shortfall", "behind"])
        for one in loss.methods:
            yield _line(one.method, [f"{one.shortfall:,.2f}", f"{one.behind:,.2f} ± {one.behind_error:,.2f}"])


def fold_table(folds: Sequence[Mapping[str, float]]) -> Iterator[str]:
    """A line for each fold of cross validation, and their means; nothing without folds."""
    if not folds:
        return
    yield _line("fold", [*FIGURES, "n"])
    for number, fold in enumerate(folds, start=1):
        yield _line(str(number), [*(f"{fold[name]:.4f}" for name in FIGURES), f"{fold['n']:,.0f}"])
    means = [sum(fold[name] for fold in folds) / len(folds) for name in FIGURES]
    yield _line("mean", [f"{mean:.4f}" for mean in means])


def _line(name: str, cells: Sequence[str]) -> str:
    return f"{name:<12}" + "".join(f"  {cell:>8}" for cell in cells)
