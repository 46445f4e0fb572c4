"""A sinter-serve that runs as long as a test."""

import http.client
import json
import re
import signal
import subprocess


class Server:
    def __init__(self, command, folder, *options, threads=1):
        self.process = subprocess.Popen(
            [command, folder, "--port", "0", "--grpc-port", "0", "--threads", str(threads), *map(str, options)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if found := re.search(r"listening at http://(\S+:\d+)(?: and grpc://(\S+:\d+))?", line):
                self.http, self.grpc = found.groups()
                return
        raise AssertionError("the server did not start: " + self.process.stderr.read())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise
        self.process.stdout.close()
        self.process.stderr.close()

    @property
    def address(self):
        host, port = self.http.rsplit(":", 1)
        return host, int(port)

    def ask(self, method, path, body=None, headers={}, timeout=60):
        """Status, headers and body of one request on a connection of its own."""
        connection = http.client.HTTPConnection(*self.address, timeout=timeout)
        try:
            connection.request(method, path, body, headers)
            reply = connection.getresponse()
            return reply.status, dict(reply.getheaders()), reply.read()
        finally:
            connection.close()

    def json(self, method, path, body=None):
        status, _, text = self.ask(method, path, None if body is None else json.dumps(body))
        return status, json.loads(text) if text else None

    def metric(self, name, **labels):
        text = self.ask("GET", "/metrics")[2].decode()
        for line in text.splitlines():
            found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            if found and found[1] == name:
                given = dict(re.findall(r'(\w+)="([^"]*)"', found[2] or ""))
                if all(given.get(label) == value for label, value in labels.items()):
                    return float(found[3])
        raise AssertionError(f"there is no {name}{labels} in\n{text}")
