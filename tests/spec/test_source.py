"""Files that a person names: what is no text is told as what it is, at once."""

import os
import sqlite3
from pathlib import Path

import pytest

from spadam.spec import InputError, load


def refusal(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        load(path)
    assert caught.value.argument == str(path)
    return caught.value


@pytest.mark.parametrize(
    ("raw", "rule", "remedy"),
    [
        ("seed: 0\n".encode("utf-16"), "and is UTF-16", "save it as UTF-8"),
        ("seed: 0\n".encode("utf-16-le"), "and is UTF-16", "save it as UTF-8"),
        ("seed: 0\n".encode("utf-16-be"), "and is UTF-16", "save it as UTF-8"),
        ("seed: 0\n".encode("utf-32"), "and is UTF-32", "save it as UTF-8"),
        ("seed: 0\nname: größe\n".encode("latin-1"), "and line 2 is none", "save it as UTF-8"),
        (b"\x7fELF\x02\x01\x01\0\0\xff", "and is a binary file", "give a YAML file"),
        (b"", "and it is empty", "README"),
        (b"# nothing\n# at all\n", "nothing but comments", "README"),
        (b"seed=0\n", "one mapping", "write seed: 0"),
    ],
)
def test_what_is_no_yaml_is_told_as_what_it_is(raw: bytes, rule: str, remedy: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(raw)
    error = refusal(path)
    assert rule in error.rule
    assert remedy in error.remedy


@pytest.mark.parametrize("text", ["\ufeffseed: 0\n", "seed: 0\r\n", "seed: 0\r", "seed: 0\n...\n"])
def test_marks_and_ends_of_lines_of_other_systems_are_read(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(text.encode())
    assert load(path).data == {"seed": 0}


def test_a_database_and_folders(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "sweep.db") as connection:
        connection.execute("CREATE TABLE x (y)")
    assert "is a database" in refusal(tmp_path / "sweep.db").rule
    assert "it holds a sweep" in refusal(tmp_path).remedy
    (tmp_path / "run").mkdir()
    assert refusal(tmp_path / "run").rule == "must be a file, and is a folder"
    (tmp_path / "run" / "config.yaml").touch()
    assert str(tmp_path / "run" / "config.yaml") in refusal(tmp_path / "run").remedy


def test_a_mistyped_name_is_told_with_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "quickstart.yaml").touch()
    assert refusal(tmp_path / "quickstrat.yaml").remedy == f"did you mean {tmp_path / 'quickstart.yaml'}?"
    assert refusal(tmp_path / "else").remedy == "check the path"


def test_a_pipe_is_read_and_one_without_a_writer_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spadam.spec.source._PATIENCE", 0.05)
    os.mkfifo(tmp_path / "pipe")
    assert "nobody writes" in refusal(tmp_path / "pipe").rule
    reading, writing = os.pipe()
    os.write(writing, b"seed: 3\n")
    os.close(writing)
    assert load(Path(f"/dev/fd/{reading}")).data == {"seed": 3}
    os.close(reading)
