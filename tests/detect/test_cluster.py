"""A run by many processes: the same bytes, whoever dies."""

import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import distributed
import psutil
import pytest
from distributed import LocalCluster

from s2hand.datasets import read_keypoints
from s2hand.datasets.rows import Provenance
from s2hand.detect import DetectSettings, cluster, run_detection
from s2hand.detect.interrupts import deaf_to_interrupts
from s2hand.detect.job import Job


@pytest.fixture
def settings(slim_file):
    return DetectSettings(weights=str(slim_file), shard_size=1, device="cpu")


@pytest.fixture
def undisturbed(many, tmp_path, settings):
    """The files of a run by this process alone."""
    run_detection(many, tmp_path / "undisturbed", settings)
    return _contents(tmp_path / "undisturbed")


def _contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _workers(process):
    """The processes that compute for a run; Python has others beside them."""
    children = psutil.Process(process.pid).children(recursive=True)
    return [child for child in children if any("spawn_main" in part for part in child.cmdline())]


def _gone(processes):
    _, alive = psutil.wait_procs(processes, timeout=60)
    return not alive


def test_workers_make_the_same_files(many, tmp_path, settings, undisturbed):
    calls = []
    shared = settings.model_copy(update={"workers": 2})
    summary = run_detection(many, tmp_path / "out", shared, lambda *call: calls.append(call))
    assert (summary.images, summary.resumed) == (60, 0)
    assert _contents(tmp_path / "out") == undisturbed
    assert calls[0] == (0, 60)
    assert calls[-1] == (60, 60)
    assert run_detection(many, tmp_path / "out", settings).resumed == 60


def test_a_killed_worker_loses_nothing(many, tmp_path, slim_file, undisturbed, start_detect):
    out = tmp_path / "out"
    process = start_detect(many, out, slim_file, (out / "part-00003.parquet").exists, "--workers=2")
    workers = _workers(process)
    assert len(workers) == 2
    workers[0].kill()
    assert len(list(out.glob("part-*"))) < 60
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert _contents(out) == undisturbed


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_an_ended_run_takes_its_workers_along_and_goes_on(
    many, tmp_path, slim_file, settings, undisturbed, start_detect, number, code
):
    out = tmp_path / "out"
    process = start_detect(many, out, slim_file, (out / "part-00003.parquet").exists, "--workers=2")
    workers = _workers(process)
    os.kill(process.pid, number) if number == signal.SIGKILL else os.killpg(process.pid, number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert _gone(workers)
    if number == signal.SIGINT:
        assert errors.splitlines()[-1].startswith("interrupted: run the same command again")
        assert "Traceback" not in errors
    assert not (out / "manifest.json").exists()
    done = len(list(out.glob("part-*")))
    assert 1 <= done < 60  # workers finish in any order
    assert run_detection(many, out, settings).resumed == done
    assert _contents(out) == undisturbed


def test_a_running_cluster_does_the_work(many, tmp_path, settings, undisturbed):
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as workers:
        shared = settings.model_copy(update={"scheduler": workers.scheduler_address})
        assert run_detection(many, tmp_path / "out", shared).images == 60
        assert _contents(tmp_path / "out") == undisturbed
        other = shared.model_copy(update={"weights": str(tmp_path / "none.pth")})
        with pytest.raises(ValueError, match=r"worker tcp.*none\.pth: no such weight file"):
            run_detection(many, tmp_path / "other", other)


def test_a_cluster_does_not_take_the_last_run_for_this_one(many, tmp_path, settings):
    boxes = tmp_path / "boxes.csv"
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as workers:
        shared = settings.model_copy(
            update={"scheduler": workers.scheduler_address, "boxes": str(boxes), "shard_size": 60}
        )
        for x in (0, 8):
            boxes.write_text(f"image,x,y,w,h\n000.png,{x},0,24,24\n")
            run_detection(many, tmp_path / "out", shared, anew=True)
            assert read_keypoints(tmp_path / "out")["box"].to_pylist() == [[x, 0, 24, 24]]


def test_a_shard_that_workers_die_of_is_among_those_named(many, tmp_path, slim_file, start_detect, monkeypatch):
    monkeypatch.setenv("DEADLY_SHARD", "7")
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "1")
    out = tmp_path / "out"
    process = start_detect(many, out, slim_file, (out / "part-00000.parquet").exists, "--workers=2")
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    said = re.search(rf"^error: {re.escape(str(out))}: workers died .* while they held shards ([\d, ]+);", errors, re.M)
    assert said, errors
    assert "7" in said[1].split(", ")
    assert "Traceback" not in errors
    assert (out / "part-00001.parquet").exists()


def test_a_scheduler_that_does_not_answer_is_named(many, tmp_path, settings, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    nowhere = settings.model_copy(update={"scheduler": "tcp://127.0.0.1:9"})
    with pytest.raises(ValueError, match=r"--scheduler tcp://127\.0\.0\.1:9: does not answer"):
        run_detection(many, tmp_path / "out", nowhere)


class _Worker:
    name = 0


def test_a_worker_without_the_files_says_so(tmp_path, settings):
    out = tmp_path / "out"
    job = Job(tmp_path / "images", out, settings)
    assert "images: not there; workers must see" in cluster.describe(job, out / "token", _Worker)
    (tmp_path / "images").mkdir()
    assert "out: not the same folder here" in cluster.describe(job, out / "token", _Worker)
    out.mkdir()
    (out / "token").touch()
    assert cluster.describe(job, out / "token", _Worker).detector == "slim"


class _Client:
    """Knows what workers answer, and has none to wait for."""

    def __init__(self, answers):
        self.answers = answers

    def run(self, function, job, token):
        assert token.exists()
        return self.answers

    def wait_for_workers(self, count, timeout):
        raise TimeoutError


def test_workers_that_would_compute_something_else_are_refused(tmp_path, settings):
    job = Job(tmp_path, tmp_path / "out", settings)
    one = Provenance("slim", "0" * 64, {"precision": "float32"}, "c")
    other = replace(one, parameters={"precision": "bfloat16"})
    assert cluster._agreed(_Client({"tcp://a": one, "tcp://b": one}), job) == one
    with pytest.raises(
        ValueError,
        match=r"^worker tcp://b would compute other keypoints than tcp://a \(parameters: .*float32.* and .*bfloat16",
    ):
        cluster._agreed(_Client({"tcp://a": one, "tcp://b": other}), job)
    assert list(job.out.iterdir()) == []


def test_a_shard_is_made_once_and_of_what_was_agreed_on_only(photographs, tmp_path, settings, monkeypatch):
    job = Job(photographs, tmp_path / "out", settings)
    job.out.mkdir()
    monkeypatch.setattr(distributed, "get_worker", lambda: _Worker)
    agreed = cluster._tools(job, 0).store.provenance
    with pytest.raises(ValueError, match=r"a worker computes other keypoints \(code_sha256: other and "):
        cluster.make_shard(job, 0, ["00.png"], replace(agreed, code_sha256="other"))
    assert not list(job.out.glob("part-*"))
    assert cluster.make_shard(job, 0, ["00.png"], agreed) == (0, 1, False)
    assert cluster.make_shard(job, 0, ["00.png"], agreed) == (0, 1, True)
    assert cluster.make_shard(job, 0, ["00.png", "02.png"], agreed) == (0, 2, False)


def test_a_scheduler_without_workers_says_how_to_start_some():
    with pytest.raises(
        ValueError, match=r"--scheduler tcp://x: no worker came within 30 s; start some: dask worker tcp"
    ):
        cluster._wait_for_workers(_Client({}), "tcp://x")


def test_ctrl_c_is_heard_again_and_left_alone_by_other_threads():
    before = signal.getsignal(signal.SIGINT)

    def during():
        with deaf_to_interrupts():
            return signal.getsignal(signal.SIGINT)

    assert during() == signal.SIG_IGN
    assert signal.getsignal(signal.SIGINT) == before
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(during).result() == before
