from pathlib import Path

import pytest

from bi2scope.data.errors import InputError
from bi2scope.data.files import replacing, require_absent


def test_a_file_appears_whole_with_the_usual_permissions(tmp_path: Path) -> None:
    path, plain = tmp_path / "out.bin", tmp_path / "plain.bin"
    plain.touch()
    with replacing(path) as temporary:
        temporary.write_bytes(b"half")
        assert not path.exists()
        temporary.chmod(0o600)
        temporary.write_bytes(b"whole")
    assert path.read_bytes() == b"whole"
    assert path.stat().st_mode == plain.stat().st_mode
    assert sorted(tmp_path.iterdir()) == [path, plain]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_the_old_file_stays_when_writing_fails(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")

    def write_half() -> None:
        with replacing(path) as temporary:
            temporary.write_bytes(b"new")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_outputs_are_refused_before_any_work(tmp_path: Path) -> None:
    there = tmp_path / "there.h5"
    there.touch()
    require_absent(tmp_path / "new.h5")
    require_absent(there, overwrite=True)
    for path, why in (
        (there, "is there already"),
        (tmp_path, "is a folder"),
        (tmp_path / "no" / "x", "does not exist"),
    ):
        with pytest.raises(InputError, match=why):
            require_absent(path)
