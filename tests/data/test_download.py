"""Fetching through torchvision.

torchvision's addresses are replaced by a server of our own, or by a port where nobody listens.
"""

import gzip
import hashlib
import socket
import threading
import time
import urllib.request
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torchvision.datasets

from spadam.data import FashionMnistSpec, MnistSpec, download
from spadam.spec import InputError

SETS = [(MnistSpec, "MNIST"), (FashionMnistSpec, "FashionMNIST")]


def load(member, root):
    return member(root=str(root), batch_size=8).load()


def listing(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def mirror(tmp_path, idx, monkeypatch):
    """Serve tiny sets on loopback as torchvision's only mirror; gives (folder that is served, its arrays)."""
    folder = tmp_path / "served"
    arrays = idx(folder, train=60, test=20)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    sums = [(f"{name}.gz", hashlib.md5((folder / f"{name}.gz").read_bytes()).hexdigest()) for name in arrays]
    redirect(monkeypatch, server.server_port, sums)
    yield folder, arrays
    server.shutdown()
    thread.join()
    server.server_close()


def redirect(monkeypatch, port, resources=None):
    for member in (torchvision.datasets.MNIST, torchvision.datasets.FashionMNIST):
        monkeypatch.setattr(member, "mirrors", [f"http://127.0.0.1:{port}/"])
        if resources:
            monkeypatch.setattr(member, "resources", resources)
    # whatever proxy the environment names stays out of it
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    monkeypatch.setattr(urllib.request, "_opener", opener)


@pytest.fixture
def dead_port(monkeypatch):
    with socket.socket() as reserved:  # bound and not listening: a connection is refused
        reserved.bind(("127.0.0.1", 0))
        redirect(monkeypatch, reserved.getsockname()[1])
        yield


@pytest.mark.parametrize(("member", "folder"), SETS)
def test_missing_files_are_downloaded_into_torchvisions_layout(member, folder, tmp_path, mirror, check_idx):
    served, arrays = mirror
    root = tmp_path / "new" / "data"
    check_idx(load(member, root), arrays)
    assert {f"{name}.gz" for name in arrays} <= {path.name for path in (root / folder / "raw").iterdir()}
    assert [path.name for path in root.iterdir()] == [folder]
    for file in served.iterdir():
        file.unlink()
    before = listing(root)
    check_idx(load(member, root), arrays)
    assert listing(root) == before


def test_torchvision_reads_what_was_downloaded(tmp_path, mirror):
    load(MnistSpec, tmp_path / "data")
    assert len(torchvision.datasets.MNIST(tmp_path / "data", train=False, download=False)) == 20


@pytest.mark.parametrize(("member", "folder"), SETS)
@pytest.mark.parametrize("existing", [True, False])
@pytest.mark.usefixtures("dead_port")
def test_no_files_and_no_network_is_one_message_and_leaves_nothing(member, folder, existing, tmp_path):
    root = tmp_path / "deep" / "data"
    if existing:
        root.mkdir(parents=True)
    before = listing(tmp_path)
    with pytest.raises(InputError) as caught:
        load(member, root)
    error = caught.value
    assert (error.argument, error.value) == ("data.root", str(root))
    assert "train-images-idx3-ubyte.gz" in error.rule
    assert f"{folder}/raw" in error.rule
    assert "refused" in error.rule
    assert "/usr/share/datasets/fashion-mnist" in error.remedy
    assert "\n" not in str(error)
    assert listing(tmp_path) == before


@pytest.mark.parametrize("n", [0, 2], ids=["first file", "third file"])
def test_a_download_with_another_content_is_refused_whole(n, tmp_path, mirror):
    served, arrays = mirror
    (served / f"{list(arrays)[n]}.gz").write_bytes(gzip.compress(b"something else"))
    with pytest.raises(InputError, match=r"cannot be downloaded .*corrupted"):
        load(MnistSpec, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_a_mirror_that_never_answers_does_not_hold_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "_PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel accepts, nobody answers
        redirect(monkeypatch, silent.getsockname()[1])
        started = time.monotonic()
        with pytest.raises(InputError, match=r"cannot be downloaded .*timed out"):
            load(MnistSpec, tmp_path / "data")
    assert time.monotonic() - started < 60  # without a limit it would not end; this only tells the two apart
    assert socket.getdefaulttimeout() is None
    assert not (tmp_path / "data").exists()


def test_a_root_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"data\.root = .*must be a folder, and is a file"):
        load(MnistSpec, tmp_path / "file")
