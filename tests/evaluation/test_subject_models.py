import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from gemel.errors import EvaluationError, SettingsError
from gemel.evaluation.subject_models import (
    SubjectModels,
    accepted_share,
    fit_subject_models,
    log_impostor_density,
    spread_floor,
)

RNG = np.random.default_rng(0)
ENROLLED = RNG.normal(size=(15, 4)) * [1, 2, 0.5, 3] + np.repeat(np.eye(3, 4) * 5, 5, axis=0)
WHO = np.repeat(["cid", "ada", "bea"], 5)
PROBES = RNG.normal(size=(7, 4))


def slow(floor: float, shared: float = 0.0) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Mean and variances of each subject, number by number."""
    found = {}
    own = {name: ENROLLED[name == WHO] for name in ("ada", "bea", "cid")}
    for name, rows in own.items():
        variances = []
        for j in range(4):
            mine = sum((x - rows[:, j].mean()) ** 2 for x in rows[:, j]) / len(rows)
            mean = sum(float(np.var(others[:, j])) for others in own.values()) / 3
            variances.append(max(floor, (1 - shared) * mine + shared * mean))
        found[name] = (rows.mean(axis=0), np.array(variances))
    return found


@pytest.mark.parametrize(("floor", "shared"), [(1e-9, 0.0), (1.0, 0.0), (0.3, 0.5), (0.1, 1.0)])
def test_densities_are_those_of_scipy(floor: float, shared: float) -> None:
    models = fit_subject_models(ENROLLED, WHO, floor=floor, shared=shared)
    assert models.names.tolist() == ["ada", "bea", "cid"]
    found = models.log_density(PROBES)
    for column, (mean, variance) in enumerate(slow(floor, shared).values()):
        wanted = multivariate_normal(mean, np.diag(variance)).logpdf(PROBES)
        assert np.allclose(found[:, column], wanted)


def test_the_impostor_constant_is_the_mean_density() -> None:
    models = fit_subject_models(ENROLLED, WHO, floor=0.5)
    impostors = RNG.normal(size=(20, 4)) * 3
    densities = [
        multivariate_normal(mean, np.diag(variance)).pdf(impostors).mean()
        for mean, variance in slow(0.5).values()
    ]
    assert np.allclose(log_impostor_density(models, impostors), np.log(densities))


def test_the_distance_orders_claims_as_the_share_does() -> None:
    models = fit_subject_models(ENROLLED, WHO, floor=0.5)
    log_impostor = log_impostor_density(models, RNG.normal(size=(20, 4)) * 3)
    distance = models.distance(PROBES, log_impostor)
    genuine = np.exp(models.log_density(PROBES))
    share = genuine / (genuine + np.exp(log_impostor))
    assert np.allclose(accepted_share(distance), share)
    assert np.array_equal(np.argsort(distance, axis=None), np.argsort(-share, axis=None))
    assert np.array_equal(models.distance(PROBES, 1.5), 1.5 - models.log_density(PROBES))
    own = models.distance(models.mean, log_impostor)
    assert np.array_equal(own.argmin(axis=1), [0, 1, 2])  # lower is more alike


@given(st.floats(1.0, 1e6), st.floats(1e-12, 1e6))
def test_far_probes_in_many_dimensions_stay_finite(away: float, floor: float) -> None:
    points = np.zeros((2, 400))
    models = fit_subject_models(points, ["a", "a"], floor=floor)
    distance = models.distance(points + away, log_impostor_density(models, points + 2 * away))
    assert np.isfinite(distance).all()
    share = accepted_share(distance)
    assert ((share >= 0) & (share <= 1)).all()


def test_one_embedding_has_the_floor_for_its_variance() -> None:
    models = fit_subject_models([[1.0, 2.0]], [7], floor=0.25)
    assert models.variance.tolist() == [[0.25, 0.25]]
    assert models.mean.tolist() == [[1.0, 2.0]]


def test_the_floor_follows_the_measure_of_the_embeddings() -> None:
    assert np.isclose(spread_floor(ENROLLED), 0.01 * ENROLLED.var(axis=0).mean())
    assert np.isclose(spread_floor(10 * ENROLLED, share=0.1), 1000 * spread_floor(ENROLLED))


def models() -> SubjectModels:
    return fit_subject_models(ENROLLED, WHO, floor=0.5)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(EvaluationError, match=r"rows \[N, D\]; got shape \(0, 4\)"):
        fit_subject_models(ENROLLED[:0], WHO[:0], floor=1.0)
    with pytest.raises(EvaluationError, match=r"has shape \(14,\); 15 embeddings need \(15,\)"):
        fit_subject_models(ENROLLED, WHO[1:], floor=1.0)
    broken = ENROLLED.copy()
    broken[3, 1] = np.nan
    with pytest.raises(EvaluationError, match=r"1 of 15 rows .* the first is row 3"):
        fit_subject_models(broken, WHO, floor=1.0)
    with pytest.raises(EvaluationError, match=r"3 numbers each; the models were fitted to .* 4"):
        models().log_density(PROBES[:, :3])
    for constant in (float("nan"), [1.0, 2.0]):
        with pytest.raises(EvaluationError, match="`log_impostor` must be finite, one number or"):
            models().distance(PROBES, constant)
    with pytest.raises(EvaluationError, match="all embeddings are alike"):
        spread_floor(np.ones((5, 2)))
    for wrong in (0.0, -1.0, float("inf")):
        with pytest.raises(SettingsError, match="`floor` is the least variance"):
            fit_subject_models(ENROLLED, WHO, floor=wrong)
        with pytest.raises(SettingsError, match="`share` must be positive"):
            spread_floor(ENROLLED, share=wrong)
    with pytest.raises(SettingsError, match="`shared` must lie between 0 and 1; got 2"):
        fit_subject_models(ENROLLED, WHO, floor=1.0, shared=2.0)
