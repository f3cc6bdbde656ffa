"""The published model's golden outputs: every ``.npz`` of ``BI2SCOPE_GOLDEN_DIR``."""

import json
import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from bi2scope.data.graph import CellGraph
from bi2scope.model.attention import Attention
from bi2scope.model.batch import GraphBatch, collate
from bi2scope.model.config import ModelConfig
from bi2scope.model.network import Bi2Former, FeatureLayout
from bi2scope.model.selection import block_logits

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("BI2SCOPE_GOLDEN_DIR", ROOT.parent / "shared" / "golden"))
FILES = sorted(FOLDER.glob("*.npz"))
TOLERANCE = 1e-5

pytestmark = pytest.mark.skipif(not FILES, reason=f"no golden outputs in {FOLDER}; set BI2SCOPE_GOLDEN_DIR")


class Golden:
    def __init__(self, path: Path) -> None:
        with np.load(path, allow_pickle=False) as arrays:
            self.arrays = {name: arrays[name] for name in arrays.files}
        self.config = json.loads(str(self.arrays["config"]))
        self.graphs = sorted({int(name.split("/")[0][5:]) for name in self.arrays if name.startswith("graph")})

    def network(self) -> Bi2Former:
        sizes = {name: self.config[name] for name in ("id_dim", "hidden", "layers", "heads", "dropout")}
        gene, peak = self.arrays["gene_chrom"], self.arrays["peak_chrom"]
        layout = FeatureLayout(gene, peak, self.config["chroms"], self.arrays["gene_attributes"])
        network = Bi2Former(ModelConfig(**sizes), layout)
        prefix = "weight/"
        weights = {n.removeprefix(prefix): torch.from_numpy(a) for n, a in self.arrays.items() if n.startswith(prefix)}
        network.load_state_dict(weights, strict=True)
        return network

    def batch(self, *graphs: int) -> GraphBatch:
        parts = ("gene_index", "gene_value", "peak_index", "peak_value")
        cells = [CellGraph(*(self.arrays[f"graph{g}/{part}"] for part in parts)) for g in graphs]
        return collate(cells, self.arrays["gene_chrom"], self.arrays["peak_chrom"])

    def labels(self, *graphs: int) -> torch.Tensor:
        return torch.tensor([int(self.arrays[f"graph{g}/label"]) for g in graphs])


@cache
def golden(path: Path) -> Golden:
    return Golden(path)


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def reference(request: pytest.FixtureRequest) -> Golden:
    return golden(request.param)


@torch.no_grad()
def dense_scores(attention: Attention, batch: GraphBatch) -> np.ndarray:
    """(heads, genes, peaks) sigmoid of every logit on one chromosome, 0 elsewhere."""
    query, key = attention.query.nodes(), attention.key.nodes()
    scores = torch.zeros(query.shape[1], len(query), len(key))
    for bucket in batch.padded():
        logits = torch.sigmoid(block_logits(query, key, bucket))
        is_gene = torch.zeros(bucket.gene.numel(), dtype=torch.bool).index_fill_(0, bucket.real, True)
        for block, row, gene, peak, absent in zip(
            logits, is_gene.view_as(bucket.gene), bucket.gene, bucket.peak, bucket.no_peak, strict=True
        ):
            scores[:, gene[row][:, None], peak[~absent]] = block[:, row][:, :, ~absent]
    return scores.numpy()


def dense_weights(attention: Attention) -> np.ndarray:
    weights, links = (
        torch.zeros(attention.query.heads, len(attention.query.slot), len(attention.key.slot)),
        attention.links(),
    )
    weights[links.head, links.gene, links.peak] = links.weight
    return weights.numpy()


def test_logits_scores_and_weights(reference: Golden) -> None:
    network = reference.network().eval()
    for g in reference.graphs:
        batch = reference.batch(g)
        with torch.no_grad():
            logits, attentions = network(batch)
        np.testing.assert_allclose(logits, reference.arrays[f"graph{g}/logits"], atol=TOLERANCE, rtol=0)
        assert len(attentions) == reference.config["layers"]
        for i, attention in enumerate(attentions):
            wanted = {part: reference.arrays[f"graph{g}/layer{i}/{part}"] for part in ("score", "weight")}
            np.testing.assert_allclose(dense_scores(attention, batch), wanted["score"], atol=TOLERANCE, rtol=0)
            np.testing.assert_allclose(dense_weights(attention), wanted["weight"], atol=TOLERANCE, rtol=0)


def test_losses_and_gradients(reference: Golden) -> None:
    network = reference.network()
    for g in reference.graphs:
        network.zero_grad()
        loss = nn.functional.cross_entropy(network(reference.batch(g))[0], reference.labels(g))
        loss.backward()
        assert loss.item() == pytest.approx(float(reference.arrays[f"graph{g}/loss"]), abs=TOLERANCE)
        for name, parameter in network.named_parameters():
            wanted = reference.arrays[f"graph{g}/grad/{name}"]
            found = np.zeros_like(wanted) if parameter.grad is None else parameter.grad.numpy()
            scale = max(float(np.abs(wanted).max()), 1e-12)
            assert np.abs(found - wanted).max() / scale <= TOLERANCE, f"gradient of {name}, graph {g}"


def test_five_adam_steps(reference: Golden) -> None:
    network = reference.network().train()
    rates = {"lr": reference.config["lr"], "weight_decay": reference.config["weight_decay"]}
    optimiser = torch.optim.Adam(network.parameters(), **rates, fused=True)
    losses = []
    for g in reference.config["train_order"]:
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(network(reference.batch(g))[0], reference.labels(g))
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    np.testing.assert_allclose(losses, reference.arrays["train/losses"], atol=TOLERANCE, rtol=0)


def test_all_graphs_in_one_batch(reference: Golden) -> None:
    network = reference.network().eval()
    with torch.no_grad():
        logits, _ = network(reference.batch(*reference.graphs))
    wanted = np.concatenate([reference.arrays[f"graph{g}/logits"] for g in reference.graphs])
    np.testing.assert_allclose(logits, wanted, atol=TOLERANCE, rtol=0)
