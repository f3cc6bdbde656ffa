import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from networks import random_layout
from torch import nn

from bi2scope.model.config import ModelConfig, protocol_defaults
from bi2scope.model.network import Bi2Former
from bi2scope.model.optimiser import make_optimiser, optimiser_tensors, rate_share, restore_optimiser, set_rate

PAPER, BI2SCOPE = (protocol_defaults(name)[1] for name in ("paper", "bi2scope"))
PROJECTIONS = [f"cross_attention_layers.{layer}.{part}" for layer in (0, 1) for part in ("rna_query", "atac_key")]
OF_LOGITS = {
    "rna_idembedding.weight",
    "atac_idembedding.weight",
    *(f"{projection}.{kind}" for projection in PROJECTIONS for kind in ("weight", "bias")),
}


def test_a_constant_rate_stays() -> None:
    assert {rate_share(PAPER, step, 100) for step in range(100)} == {1.0}


def test_a_cosine_is_that_of_torch() -> None:
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=50)
    for step in range(50):
        assert rate_share(BI2SCOPE, step, 50) == pytest.approx(schedule.get_last_lr()[0])
        optimiser.step()
        schedule.step()


@pytest.mark.parametrize("config", [PAPER, BI2SCOPE])
def test_a_warm_up_rises_in_a_line(config) -> None:
    warm = replace(config, warmup=0.1)
    shares = [rate_share(warm, step, 200) / rate_share(config, step, 200) for step in range(200)]
    assert shares == pytest.approx([min(1.0, (step + 1) / 20) for step in range(200)])
    assert math.isfinite(rate_share(replace(config, warmup=0.001), 0, 3))


@pytest.mark.parametrize(("config", "kind"), [(PAPER, torch.optim.Adam), (BI2SCOPE, torch.optim.AdamW)])
def test_the_optimiser_is_the_configured_one(config, kind: type) -> None:
    optimiser = make_optimiser(nn.Linear(2, 2), config)
    assert type(optimiser) is kind
    group = optimiser.param_groups[0]
    assert (group["lr"], group["weight_decay"]) == (config.learning_rate, config.weight_decay)
    set_rate(optimiser, 0.25)
    assert group["lr"] == 0.25


def test_an_optimiser_goes_on_from_what_it_remembers() -> None:
    def steps(optimiser: torch.optim.Optimizer, network: nn.Linear, n: int) -> None:
        for number in range(n):
            optimiser.zero_grad()
            network(torch.full((1, 3), 1.0 + number)).square().sum().backward()
            optimiser.step()

    first, second = nn.Linear(3, 2), nn.Linear(3, 2)
    one = make_optimiser(first, BI2SCOPE)
    steps(one, first, 3)
    second.load_state_dict(first.state_dict())
    other = make_optimiser(second, BI2SCOPE)
    restore_optimiser(other, {name: each.clone() for name, each in optimiser_tensors(one).items()})
    steps(one, first, 3)
    steps(other, second, 3)
    assert torch.equal(first.weight, second.weight)


def network() -> Bi2Former:
    return Bi2Former(ModelConfig(id_dim=4, hidden=8, layers=2), random_layout(np.random.default_rng(0), 8, 30, 2))


@pytest.mark.parametrize("share", [1.0, 0.25])
def test_what_the_logits_are_made_of_has_a_share_of_the_rate(share: float) -> None:
    model, config = network(), replace(protocol_defaults("bi2scope")[1], attention_rate=share)
    optimiser = make_optimiser(model, config)
    set_rate(optimiser, 0.04)
    rate = {id(each): group["lr"] for group in optimiser.param_groups for each in group["params"]}
    found = {name: rate[id(parameter)] for name, parameter in model.named_parameters()}
    assert found == {name: 0.04 * (share if name in OF_LOGITS else 1) for name in found}
    assert set(found) > OF_LOGITS


def test_an_optimiser_of_two_rates_goes_on_where_it_stood() -> None:
    ends = []
    for stop in (False, True):
        torch.manual_seed(0)
        model = network()
        optimiser = make_optimiser(model, BI2SCOPE)
        for step in range(4):
            if stop and step == 2:
                kept = {name: value.clone() for name, value in optimiser_tensors(optimiser).items()}
                optimiser = make_optimiser(model, BI2SCOPE)
                restore_optimiser(optimiser, kept)
            set_rate(optimiser, 0.1 / (step + 1))
            optimiser.zero_grad()
            sum((parameter**2).sum() for parameter in model.parameters()).backward()
            optimiser.step()
        ends.append(model.state_dict())
    for name, value in ends[0].items():
        torch.testing.assert_close(value, ends[1][name], rtol=0, atol=0)
