"""sinter view in a browser: pages of 30, 3,000 and 50,000 nodes, how soon they show something, what mouse and keys do, and how they look.

    make view-test                                      all of it; SINTER_BLESS=1 stores the pictures anew
    python3 Tests/View/view_test.py --netron NETRON     the same files in Netron, for comparison
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

import chromium
import models
import pictures

HERE = os.path.dirname(os.path.abspath(__file__))
SIZES = (30, 3000, 50_000)
PICTURE = "document.documentElement?.dataset.picture"


class Failure(Exception):
    pass


def expect(condition, message):
    if not condition:
        raise Failure(message)


def page(sinter, folder, nodes, *arguments):
    """The address of the page of a model of so many nodes."""
    model, output = f"{folder}/{nodes}.onnx", f"{folder}/{nodes}.html"
    if not os.path.exists(model):
        models.make(model, nodes)
    subprocess.run([sinter, "view", model, "-o", output, *arguments], check=True)
    return f"file://{output}"


def compare(browser, folder, name):
    """Holds what is shown against a stored picture."""
    path, stored = f"{folder}/{name}.png", f"{HERE}/pictures/{name}.png"
    if os.environ.get("SINTER_BLESS", "0") not in ("", "0"):
        browser.screenshot(stored)
        return
    browser.screenshot(path)
    share = pictures.difference(pictures.read(path), pictures.read(stored))
    expect(share < 0.02, f"{name} looks otherwise in {100 * share:.1f} % of its squares: {path} beside {stored}")


def first_picture(address, limit, tries=3):
    """Milliseconds to the first picture, and megabytes of the page's objects and of the browser's processes.

    A page that is slow in one browser gets another one, since the machine may have been busy; it fails where all are slow.
    """
    times = []
    while True:
        with chromium.Browser() as browser:
            browser.open(address)
            times.append(int(browser.wait(PICTURE)))
            heap, resident = browser.heap(), browser.resident()
            expect(not browser.errors, f"errors in the console: {browser.errors}")
        if times[-1] <= limit:
            return times[-1], heap / 1e6, resident / 1e6
        expect(len(times) < tries, f"the first picture came after {', '.join(map(str, times))} ms, each more than {limit}")


def check_times(sinter, folder, limit):
    for nodes in SIZES:
        # What the passes and fusion make of so many nodes takes minutes in a debug build, and shows nothing new.
        address = page(sinter, folder, nodes, *(["--stages", "imported"] if nodes > 3000 else []))
        for name, part in (("folded", ""), ("unfolded", "#open=all")):
            shown, heap, resident = first_picture(address + part, limit)
            print(f"{nodes:6} nodes {name:9} first picture {shown:5} ms, {heap:6.1f} MB of objects, browser {resident:5.0f} MB", flush=True)


def check_looks(sinter, folder):
    for nodes, dark, part, name in ((30, False, "#stages=0,1,2", "stages"), (30, True, "#open=all", "dark"), (3000, False, "", "folded"),
                                    (3000, False, "#find=softmax&stages=0,2&pass=0", "found")):
        with chromium.Browser(1200, 760, dark) as browser:
            browser.open(f"file://{folder}/{nodes}.html{part}")
            browser.wait(PICTURE)
            compare(browser, folder, name)
            expect(not browser.errors, f"{name}: errors in the console: {browser.errors}")


def check_use(folder):
    """Mouse and keys, as a user has them."""
    with chromium.Browser(1200, 760) as browser:
        browser.open(f"file://{folder}/3000.html#open=none")
        browser.wait(PICTURE)
        shown = "viewer.current.places.shown.length"
        details = "document.getElementById('details').textContent"
        before = browser.evaluate(shown)
        # A click on a folded block unfolds it where it is.
        x, y = browser.evaluate("""(() => { const p = viewer.current, item = p.places.shown.find(i => p.stage.isGroup(i)), [x, y] = p.corner(item),
            box = p.canvas.getBoundingClientRect(); return [box.x + x + 20, box.y + y + 12]; })()""")
        browser.click(x, y)
        expect(browser.evaluate(shown) > before, "a click unfolds nothing")
        expect("Operators" in browser.evaluate(details), "a block has no details")
        browser.key("Enter")
        expect(browser.evaluate(shown) == before, "Enter folds nothing")
        browser.key("e")
        unfolded = browser.evaluate(shown)
        expect(unfolded > 3000, f"unfolded, there are {unfolded} boxes")
        # Finding.
        browser.key("/")
        for letter in "softmax":
            browser.key(letter)
        found = browser.evaluate("document.getElementById('found').textContent")
        expect(found.endswith(" found") and int(found.split()[0]) > 100, f"found: {found}")
        browser.key("Enter")
        expect(browser.evaluate("document.getElementById('found').textContent").startswith("1 of "), "Enter goes to nothing")
        text = browser.evaluate(details)
        expect(text.startswith("Softmax") and "f32[batch, 4, 4]" in text and "Reads" in text, f"details: {text}")
        browser.key("Escape")
        # Along an arrow and back.
        chosen = browser.evaluate("viewer.current.chosen")
        browser.key("ArrowDown")
        expect(browser.evaluate(details).startswith("MatMul"), "ArrowDown does not lead to what reads it")
        browser.key("ArrowUp")
        browser.key("ArrowUp")
        browser.key("ArrowDown")
        expect(browser.evaluate("viewer.current.chosen") == chosen, "up and down lead elsewhere")
        # Stages side by side, linked by names.
        browser.key("3")
        expect(browser.evaluate("document.querySelectorAll('.panel').length") == 2, "3 does not show the third stage")
        browser.evaluate("viewer.panels[0].choose(viewer.panels[0].chosen)")
        expect(browser.evaluate("viewer.panels[2].linked.size") >= 1, "the other stage marks nothing")
        browser.key("3")
        # What a pass did.
        names = browser.evaluate("model.passes.map(pass => pass.name)")
        expect(names, "no passes")
        browser.evaluate("viewer.setPass('0')")
        browser.key("Escape")
        expect("Pass " + names[0] in browser.evaluate(details), "the pass is not told of")
        # A weight with its histogram.
        browser.evaluate("(() => { const p = viewer.panels[0], s = p.stage; p.choose(s.weights.findIndex((list, node) => list.length && s.titleOf(node) === 'MatMul')); })()")
        expect(browser.evaluate("document.querySelectorAll('#details svg rect').length") == 32, "no histogram")
        expect("deviation" in browser.evaluate(details), "no statistics")
        for key in ("+", "-", "0", "w", "a", "s", "d", "c", "Backspace", "?"):
            browser.key(key)
        expect(browser.evaluate("document.getElementById('keys').open"), "? opens nothing")
        expect(not browser.errors, f"errors in the console: {browser.errors}")


def check_profile(sinter, folder):
    """Times of sinter profile as colours."""
    subprocess.run([sinter, "profile", f"{folder}/30.onnx", "--runs", "3", "--no-peaks", "--json", f"{folder}/profile.json"],
                   check=True, stdout=subprocess.DEVNULL)
    address = page(sinter, folder, 30, "--profile", f"{folder}/profile.json")
    with open(f"{folder}/profile.json") as file:
        total = sum(launch["milliseconds"] for launch in json.load(file)["launches"])
    with chromium.Browser(1200, 760) as browser:
        browser.open(address + "#heat=1&stages=0,2&open=all")
        browser.wait(PICTURE)
        for panel in (0, 2):
            sum_ = browser.evaluate(f"viewer.panels[{panel}].stage.cost[viewer.panels[{panel}].stage.root]")
            expect(abs(sum_ - total) < 0.01 * total + 1e-3, f"times add up to {sum_} ms, launches to {total}")
        expect(browser.evaluate("viewer.panels[2].most") > 0, "nothing is coloured")
        expect(not browser.errors, f"errors in the console: {browser.errors}")


def netron(command, folder, limit):
    """Time to the first picture and memory of Netron on the same files."""
    for nodes in SIZES:
        model = f"{folder}/{nodes}.onnx"
        if not os.path.exists(model):
            models.make(model, nodes)
        server = subprocess.Popen([command, "--port", "8123", model], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  env={**os.environ, "BROWSER": "true"})
        try:
            time.sleep(3)
            with chromium.Browser() as browser:
                begin = time.monotonic()
                browser.open("http://localhost:8123")
                try:
                    # It asks about cookies, and of large graphs whether to go on; the picture is there when neither question is.
                    browser.wait("(() => { const button = document.getElementById('message-button'); if (button && button.offsetParent)"
                                 " button.click(); return document.body.classList.contains('default'); })()", limit)
                    print(f"{nodes:6} nodes Netron first picture {1000 * (time.monotonic() - begin):6.0f} ms, "
                          f"{browser.heap() / 1e6:6.1f} MB of objects, browser {browser.resident() / 1e6:5.0f} MB", flush=True)
                except RuntimeError as error:
                    print(f"{nodes:6} nodes Netron no picture after {time.monotonic() - begin:.0f} s: "
                          f"{browser.evaluate('document.body.innerText')[:200]!r} {str(error)[:200]}", flush=True)
        finally:
            server.kill()
            server.wait()


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--sinter", default=".build/release/sinter")
    arguments.add_argument("--limit", type=int, default=2000, help="milliseconds to the first picture")
    arguments.add_argument("--folder", help="where models and pages stay")
    arguments.add_argument("--netron", help="Netron's command: measure it instead")
    arguments.add_argument("--wait", type=float, default=280, help="seconds until Netron is given up on a file")
    arguments = arguments.parse_args()
    if not chromium.find():
        sys.exit("there is no chromium: apt-get install chromium")
    with tempfile.TemporaryDirectory() as temporary:
        folder = os.path.abspath(arguments.folder or temporary)
        os.makedirs(folder, exist_ok=True)
        if arguments.netron:
            return netron(arguments.netron, folder, arguments.wait)
        try:
            check_times(arguments.sinter, folder, arguments.limit)
            check_looks(arguments.sinter, folder)
            check_use(folder)
            check_profile(arguments.sinter, folder)
        except Failure as failure:
            sys.exit(f"view-test: {failure}")
    print("view-test: all well")


if __name__ == "__main__":
    main()
