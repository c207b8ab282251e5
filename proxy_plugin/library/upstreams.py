"""Which target a URL means, and where it really is."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx

from proxy_plugin.policy import Weight

Given = Mapping[str, str | Mapping[str, str]]
"""Service id → its base URL, or version → base URL. A base URL has no path."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """One target. Without base URLs it is called where its URL says."""

    target: str
    versions: Mapping[str, httpx.URL]

    def choose(self, split: Sequence[Weight] | None, dice: random.Random) -> str:
        """A version by the weights of a split; without one each is as likely. "" where versions are not told apart."""
        if split:
            return dice.choices([each.version for each in split], [each.weight for each in split])[0]
        return dice.choice(list(self.versions)) if self.versions else ""


class Upstreams:
    """Names a caller may use for `shop/payments`: `payments.shop`, in its own namespace `payments`, or a base URL."""

    def __init__(self, service: str, given: Given) -> None:
        """ValueError for a base URL that is none."""
        self.versions: dict[str, tuple[str, ...]] = {}
        self._names: dict[str, Upstream] = {}
        own = service.rpartition("/")[0]
        for target, urls in given.items():
            bases = {"": urls} if isinstance(urls, str) else urls
            upstream = Upstream(target, {version: _base(url) for version, url in bases.items()})
            self.versions[target] = tuple(version for version in bases if version)
            for name in _names(target, own):
                self._names.setdefault(name, upstream)
            for url in upstream.versions.values():
                self._names.setdefault(_host_port(url), upstream)

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(self.versions)

    def find(self, url: httpx.URL) -> Upstream:
        """What `url` means; a host that was not given is outside the mesh: `host:port`."""
        place = _host_port(url)
        found = self._names.get(place) or self._names.get(url.host)
        return found or Upstream(place, {})


def _names(target: str, own_namespace: str) -> tuple[str, ...]:
    namespace, slash, name = target.partition("/")
    if not slash:
        return (target,)
    return (f"{name}.{namespace}", name) if namespace == own_namespace else (f"{name}.{namespace}",)


def _base(text: str) -> httpx.URL:
    url = httpx.URL(text)
    if url.scheme not in ("http", "https") or not url.host or url.path not in ("", "/"):
        raise ValueError(f"{text!r} is not a base URL such as http://127.0.0.1:8080")
    return url


def _host_port(url: httpx.URL) -> str:
    return f"{url.host}:{url.port or (443 if url.scheme == 'https' else 80)}"
