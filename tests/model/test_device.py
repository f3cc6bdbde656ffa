import pytest
import torch

from bi2scope.data.errors import ConfigurationError
from bi2scope.model.device import check_precision, chosen_device


@pytest.fixture
def no_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)


@pytest.mark.usefixtures("no_cuda")
def test_without_cuda_the_cpu_is_chosen() -> None:
    assert chosen_device("auto") == chosen_device("cpu") == torch.device("cpu")
    with pytest.raises(ConfigurationError, match=r"CUDA device 0 was asked for, and torch \S+ finds 0 here"):
        chosen_device("cuda")


def test_each_process_has_a_device_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert chosen_device("auto") == chosen_device("cuda") == torch.device("cuda", 1)
    assert chosen == [torch.device("cuda", 1)] * 2
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(ConfigurationError, match=r"CUDA device 2 was asked for, .* finds 2 here"):
        chosen_device("auto")


def test_bf16_is_for_cuda() -> None:
    check_precision("float32", torch.device("cpu"))
    check_precision("bf16", torch.device("cuda", 0))
    with pytest.raises(ConfigurationError, match="bf16 is for CUDA, and training is on the CPU"):
        check_precision("bf16", torch.device("cpu"))
