"""Reads an answer with http.client, json, html.parser and sseclient, and by the labels of its parts: labels.py
TRANSPORT BYTES PARTS. Prints both readings, each as the list of its headers, its body, and its messages."""
import base64
import html
import html.parser
import http.client
import io
import json
import re
import sys

import sseclient

transport, raw = sys.argv[1], open(sys.argv[2], "rb").read()
parts = [(part["label"], part["name"], part["bytes"].encode("latin-1")) for part in json.load(open(sys.argv[3]))]


class Socket:
    def makefile(self, _mode):
        return io.BytesIO(raw)


class Page(html.parser.HTMLParser):
    """The texts of the elements of messages, and of the scripts."""

    def __init__(self):
        super().__init__(convert_charrefs=False)
        self.messages, self.calls, self.inside = [], [], None

    def handle_starttag(self, tag, attributes):
        if tag == "p":
            self.inside = "message" if dict(attributes).get("class") == "message" else None
            if self.inside:
                self.messages.append("")
        elif tag == "script":
            self.inside = "script"

    def handle_endtag(self, tag):
        if tag in ("p", "script"):
            self.inside = None

    def handle_charref(self, name):
        self.handle_data(chr(int(name)))

    def handle_entityref(self, name):
        self.handle_data(html.unescape(f"&{name};"))

    def handle_data(self, data):
        if self.inside == "message":
            self.messages[-1] += data
        elif self.inside == "script" and data.startswith("f("):
            self.calls.append(json.loads(data[2:-1]))


def escapes(text):
    """A line of text as its sender wrote it."""
    known = {"n": "\n", "r": "\r", "\\": "\\"}
    code = r"\\(n|r|\\|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})"
    return re.sub(code, lambda found: known.get(found[1]) or chr(int(found[1][1:], 16)), text)


def characters(text):
    """A text with its references resolved, those to controls too, which html.unescape drops."""
    numbered = lambda found: chr(int(found[1])) if found[1] else html.unescape(found[0])
    return re.sub(r"&#(\d+);|&\w+;", numbered, text)


def parsed():
    answer = http.client.HTTPResponse(Socket())
    answer.begin()
    body = answer.read()
    text = body.decode()
    page = Page()
    if transport in ("html", "script"):
        page.feed(text)
    objects = [json.loads(line) for line in text.splitlines()] if transport == "ndjson" else page.calls
    messages = {
        "html": lambda: page.messages,
        "sse": lambda: [e.data for e in sseclient.SSEClient([body]).events() if e.event not in ("live", "end")],
        "json": lambda: [message["data"] for message in json.loads(body)["messages"]],
        # Its grammar is this server's own: the test knows what was sent.
        "text": lambda: None,
    }.get(transport, lambda: [o["data"] for o in objects if o["type"] == "message"])()
    return [[name.lower(), value] for name, value in answer.getheaders()], body, messages


FRAMING = ("status", "header", "head-end", "chunk-size", "chunk-end", "last-chunk", "body-end")


def labelled():
    headers = [part.decode().strip().split(": ", 1) for label, _, part in parts if label == "header"]
    body = b"".join(part for label, _, part in parts if label not in FRAMING)
    messages, lines = [], None
    for label, name, part in [part for part in parts if part[0] not in FRAMING]:
        if transport == "sse":
            if label == "field" and name == "data":
                lines = (lines or []) + [b""]
            elif label == "payload":
                lines[-1] = part
            elif label == "server-object":
                lines = None
            elif label == "dispatch" and lines is not None:
                messages.append(b"\n".join(lines).decode())
                lines = None
        elif transport == "html":
            if label == "element":
                messages.append(b"")
            elif label == "payload":
                messages[-1] += part
        elif label == "payload":
            messages.append(part)
    read = {
        "sse": lambda text: text,
        "html": lambda text: characters(text.decode()),
        "text": lambda text: escapes(text.decode()),
    }.get(transport, lambda text: json.loads(b'"' + text + b'"'))
    return [[name.lower(), value] for name, value in headers], body, [read(message) for message in messages]


whole = b"".join(part for _, _, part in parts)
for headers, body, messages in (parsed(), labelled()):
    print(json.dumps([headers, base64.b64encode(body).decode(), messages, whole == raw]))
