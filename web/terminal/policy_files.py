"""Files of policies: YAML, one policy or one HTTPRoute of the Gateway API in each document."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class UnreadableFile(Exception):  # noqa: N818 - it says what is wrong with the file
    """Says where and what."""


@dataclass(frozen=True, slots=True)
class Draft:
    """One policy, and its YAML as it is sent."""

    name: str
    text: str


def drafts(files: Sequence[str]) -> list[Draft]:
    """The policies of all files in their order; ``-``: of stdin. Raises UnreadableFile."""
    found: list[Draft] = []
    for file in files:
        for number, document in enumerate(_documents(file), 1):
            for draft in _drafts(document, f"{'stdin' if file == '-' else file}, document {number}"):
                if any(draft.name == other.name for other in found):
                    raise UnreadableFile(f"{draft.name} is given twice")
                found.append(draft)
    if not found:
        raise UnreadableFile("there is no policy in it")
    return found


def _documents(file: str) -> list[object]:
    import yaml

    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        return [document for document in yaml.safe_load_all(text) if document is not None]
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFile(f"{file}: {getattr(error, 'strerror', None) or error}") from error
    except yaml.YAMLError as error:
        raise UnreadableFile(f"{file} is no YAML: {' '.join(str(error).split())}") from error


def _drafts(document: object, where: str) -> list[Draft]:
    if isinstance(document, dict) and document.get("kind") == "HTTPRoute":
        return [_draft(policy, where) for policy in _of_route(document, where)]
    return [_draft(document, where)]


def _of_route(document: dict[str, object], where: str) -> list[dict[str, object]]:
    """An HTTPRoute as policies; what has no words here is an error, what means something else is said on stderr."""
    from proxy_plugin.gateway_api.reading import read_routes

    translation = read_routes([document])
    wrong = [found for found in translation.findings if found.severity == "error"]
    if wrong:
        raise UnreadableFile(f"{where}: " + "; ".join(f"{each.message} {each.fix}" for each in wrong))
    for each in translation.findings:
        print(f"meshscope: {where}: {each.message} {each.fix}", file=sys.stderr)
    return [policy.document() for policy in translation.items]


def _draft(document: object, where: str) -> Draft:
    import yaml

    name = document.get("name") if isinstance(document, dict) else None
    if not isinstance(name, str) or not name or not name.isprintable():
        raise UnreadableFile(f"{where}: a policy is a mapping with a name")
    return Draft(name, yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
