#!/usr/bin/env python3
"""Times steps of training beside PyTorch, eager and compiled, and JAX: python bench_training.py --bench .build/release/training-bench

Each side starts from the parameters that Sinter drew, and takes the same step on the same batch, loss read back. The first twenty losses must be equal
to 1e-4 of them, where nothing is dropped at random; where they are not, since rounding grows from step to step, Sinter's must be no farther from those in f64
than PyTorch's in f32 are. Every run is a process of its own, and the sides take turns; the fastest step of all rounds counts, which
other work on the machine disturbs least. `first` is the time until the first step was done, in seconds, compilers included: for Sinter from the Swift
program on, for the others from when they are loaded. Peak memory (`--memory`) is the process's, less what it held before the model was made, for PyTorch.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "training"))


def peer(name, folder, threads, seconds, kind):
    """One run of PyTorch, in this process. `kind`: eager, compiled, or exact, the losses alone in f64."""
    import torch
    from networks import CASES
    from safetensors.torch import load_file

    torch.set_num_threads(threads)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    make, optimizer, loss_function, clip = CASES[name]
    net = make()
    missing, unexpected = net.load_state_dict(load_file(folder / f"{name}.safetensors"), strict=False)
    missing = [key for key in missing if not key.endswith("num_batches_tracked")]
    assert not missing and not unexpected, (missing, unexpected)
    batch = load_file(folder / f"{name}-batch.safetensors")
    x, y = batch["x"], batch["y"]
    if kind == "exact":
        net = net.double()
        x, y = (value.double() if value.is_floating_point() else value for value in (x, y))
    optimizer = optimizer(net.parameters())
    net.train()
    call = torch.compile(net) if kind == "compiled" else net

    def step():
        loss = loss_function(call(x), y)
        optimizer.zero_grad()
        loss.backward()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(net.parameters(), clip)
        optimizer.step()
        return loss.item()

    begin = time.perf_counter()
    losses = [step()]
    first = time.perf_counter() - begin
    losses += [step() for _ in range(19)]
    if kind == "exact":
        print(json.dumps({"losses": losses}))
        return
    times = []
    start = time.perf_counter()
    while time.perf_counter() - start < seconds or len(times) < 5:
        before_step = time.perf_counter()
        step()
        times.append((time.perf_counter() - before_step) * 1e3)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"firstSeconds": first, "losses": losses, "milliseconds": times, "peakBytes": (peak - before) * 1024}))


def jax_peer(name, folder, threads, seconds):
    """One run of JAX, in this process, which gets as many processors as it may use threads."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    os.environ["JAX_PLATFORMS"] = "cpu"
    import jax
    from networks_jax import make_step
    from safetensors.numpy import load_file

    tensors = {key: jax.numpy.asarray(value) for key, value in load_file(folder / f"{name}.safetensors").items()}
    batch = load_file(folder / f"{name}-batch.safetensors")
    begin = time.perf_counter()
    step, state = make_step(name, tensors)
    losses, times = [], []

    def run():
        nonlocal state
        state, loss = step(state, batch["x"], batch["y"])
        return float(loss)

    losses.append(run())
    first = time.perf_counter() - begin
    losses += [run() for _ in range(19)]
    start = time.perf_counter()
    while time.perf_counter() - start < seconds or len(times) < 5:
        before_step = time.perf_counter()
        run()
        times.append((time.perf_counter() - before_step) * 1e3)
    print(json.dumps({"firstSeconds": first, "losses": losses, "milliseconds": times}))


def distance(a, b):
    return max(abs(x - y) / max(abs(y), 1) for x, y in zip(a["losses"], b["losses"]))


def run(command, environment=None):
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=environment)
    if result.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{result.stdout}{result.stderr}")
    return json.loads(result.stdout.strip().splitlines()[-1])


def measure_memory(arguments, cases, folder):
    """The peak of ten steps of each case, of Sinter's library in a program in C and of PyTorch, each in a process of its own."""
    root = HERE.parent.parent
    program = Path(folder) / "peak"
    subprocess.run(["cc", "-std=c11", "-O2", "-D_DEFAULT_SOURCE", "-I", root / "Sources/SinterABI/include", HERE / "peak.c", "-o", program, "-ldl"], check=True)
    print(f"{'case':10} {'Sinter MB':>10} {'PyTorch MB':>11} {'ratio':>6}")
    for name in cases:
        subprocess.run([arguments.bench, "--library", name, folder], check=True)
        own = int(subprocess.run([program, Path(folder) / f"{name}.so", "10"], check=True, capture_output=True, text=True).stdout) / 1e6
        other = run([sys.executable, __file__, "--seconds", 0, "--peer", name, folder, "eager"])["peakBytes"] / 1e6
        print(f"{name:10} {own:10.1f} {other:11.1f} {own / other:6.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default=".build/release/training-bench")
    parser.add_argument("--only", default="", help="cases, with spaces between them")
    parser.add_argument("--threads", default="1", help="how many threads each side gets: one number, or several with commas between them")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=2, help="of each run")
    parser.add_argument("--compiled", action="store_true", help="torch.compile as well")
    parser.add_argument("--jax", nargs="?", const=sys.executable, metavar="PYTHON", help="JAX as well, by a Python that has it and optax")
    parser.add_argument("--memory", action="store_true", help="measures the most memory that ten steps take, and no times")
    parser.add_argument("--peer", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        name, folder, kind = arguments.peer
        if kind == "jax":
            return jax_peer(name, Path(folder), int(arguments.threads), arguments.seconds)
        return peer(name, Path(folder), int(arguments.threads), arguments.seconds, kind)
    from networks import CASES, RANDOM

    if arguments.memory:
        with tempfile.TemporaryDirectory() as folder:
            return measure_memory(arguments, arguments.only.split() or CASES, folder)
    kinds = ["eager"] + (["compiled"] if arguments.compiled else []) + (["jax"] if arguments.jax else [])
    print(f"{'case':10} {'threads':>7} {'Sinter':>9}" + "".join(f" {kind:>9} {'ratio':>6}" for kind in kinds)
          + f" {'compile':>8}" + "".join(f" {kind:>9}" for kind in ["first", *kinds]) + "  losses")
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.only.split() or CASES:
            for threads in arguments.threads.split(","):
                if not measure(arguments, name, folder, kinds, threads, name in RANDOM):
                    wrong.append(name)
    if wrong:
        raise SystemExit(f"losses differ: {', '.join(wrong)}")


def measure(arguments, name, folder, kinds, threads, is_random):
    """Times one case, side after side in turns, and prints its row. Whether the losses are right."""
    environment = {**os.environ, "OMP_NUM_THREADS": threads}

    def command(kind):
        python = arguments.jax if kind == "jax" else sys.executable
        return [python, __file__, "--threads", threads, "--seconds", arguments.seconds, "--peer", name, folder, kind]

    ours, peers = [], {kind: [] for kind in kinds}
    for _ in range(arguments.rounds):
        ours.append(run([arguments.bench, name, folder, threads, arguments.seconds], environment))
        for kind in kinds:
            peers[kind].append(run(command(kind), environment))
    best = min(min(item["milliseconds"]) for item in ours)
    line = f"{name:10} {threads:>7} {best:9.3f}"
    for kind in kinds:
        other = min(min(item["milliseconds"]) for item in peers[kind])
        line += f" {other:9.3f} {other / best:6.2f}"
    worst, right = distance(ours[0], peers["eager"][0]), True
    told = "random" if is_random else f"{worst:.1e}"
    if not is_random and not worst <= 1e-4:
        exact = run(command("exact"), environment)
        own, other = distance(ours[0], exact), distance(peers["eager"][0], exact)
        told += f"; from f64 {own:.1e}, PyTorch {other:.1e}"
        right = own <= other
    first = [min(item["firstSeconds"] for item in side) for side in (ours, *peers.values())]
    print(line + f" {min(item['compileSeconds'] for item in ours):8.2f}" + "".join(f" {value:9.2f}" for value in first)
          + f"  {told}", flush=True)
    return right


if __name__ == "__main__":
    main()
