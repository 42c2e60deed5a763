"""The file host: one file, whole or not at all, inert whatever the names are, nothing allowed in or out."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from html.parser import HTMLParser

import pytest

from whyglass.core.container import unpack, unpack_message
from whyglass.core.errors import InputError
from whyglass.hosts import html, page


class Outline(HTMLParser):
    """Scripts with their attributes and text, and everything that would be fetched."""

    def __init__(self, text):
        super().__init__()
        self.scripts = []
        self.links = []
        self.policy = ""
        self._inside = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.links += [given[name] for name in ("src", "href") if name in given]
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"]
        self._inside = tag == "script"
        if self._inside:
            self.scripts.append([given, ""])

    def handle_endtag(self, tag):  # noqa: ARG002
        self._inside = False

    def handle_data(self, data):
        if self._inside:
            self.scripts[-1][1] += data


def test_the_file_holds_everything_and_asks_for_nothing(tiny, tmp_path):
    tiny.state = {"case": 3, "note": "</script><script>alert(2)</script>"}
    path = html.save(tiny, tmp_path / "why.html")
    outline = Outline(path.read_text(encoding="utf-8"))
    (payload_tag, payload), (code_tag, code), _ = outline.scripts
    assert (payload_tag["id"], code_tag["id"]) == ("wg-payload", "wg-code")
    script = unpacked(code)
    message, buffers = unpack_message(decoded(payload))
    assert message["state"] == tiny.state
    assert message["meta"]["host"] == "html"
    assert message["meta"]["live"] is False
    assert unpack(buffers[0])["cases"] == b"0123456789"
    assert all(link.startswith("data:") for link in outline.links)
    assert "tiny.js" in script
    assert "static.js" in script
    assert "export default" not in script


def decoded(text):
    return gzip.decompress(base64.b85decode(text.translate(str.maketrans(".,:", "&<>"))))


def unpacked(code):
    return decoded(code).decode()


def digest(script):
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def test_the_policy_allows_these_scripts_only(tiny):
    outline = Outline(html.render(tiny))
    loader, script = outline.scripts[2][1], unpacked(outline.scripts[1][1])
    assert f"script-src 'sha256-{digest(loader)}' 'sha256-{digest(script)}';" in outline.policy
    assert outline.policy.startswith("default-src 'none';")
    assert "connect-src" not in outline.policy
    assert "\r" not in script
    assert f"sha256-{digest(script + ' ')}" not in outline.policy


def test_hostile_names_are_inert(tiny):
    text = html.render(tiny)
    assert text.count("<script") == 3
    assert len(re.findall("</script", text, re.IGNORECASE)) == 3
    assert "<!--" not in text
    assert "alert(1)" in re.search("<title>(.*)</title>", text)[1]
    script = unpacked(Outline(text).scripts[1][1])
    assert "</script" not in script.lower()


def test_without_the_escape_a_bundle_would_hold_the_tag(tiny, monkeypatch):
    """The twin of the test above."""
    monkeypatch.setattr(page, "inert", lambda script: script)
    assert "</script" in unpacked(Outline(html.render(tiny)).scripts[1][1]).lower()


def test_the_same_view_gives_the_same_file(tiny):
    assert html.render(tiny) == html.render(tiny)


def test_the_view_says_what_is_frozen(tiny):
    tiny.freeze = lambda **options: ({"title": "frozen", "rows": options["rows"]}, {"few": b"1"})
    message, buffers = unpack_message(decoded(Outline(html.render(tiny, rows=7)).scripts[0][1]))
    assert message["meta"]["rows"] == 7
    assert unpack(buffers[0]) == {"few": b"1"}


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tiny, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="no folder"):
        html.save(tiny, tmp_path / "no" / "why.html")
    with pytest.raises(InputError, match="cannot be written"):
        html.save(tiny, tmp_path)
    (tmp_path / "why.html").write_text("old")

    def full(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(html.Path, "replace", full)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match="No space left"):
        html.save(tiny, tmp_path / "why.html")
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "why.html").read_text() == "old"


def test_a_page_without_script_shows_the_picture(tiny):
    assert '<noscript><img alt="&lt;/title&gt;' in html.render(tiny)
    tiny.fallback = None
    assert "<img" not in html.render(tiny)
