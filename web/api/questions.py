"""The parameters of questions about the graph, the same on every route that has them."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import Depends, Query

from web.live import Question

Start = Annotated[
    str,
    Query(
        description="Start: RFC 3339, unix seconds or relative.", examples=["now-15m", "2026-01-31T12:00:00Z"]
    ),
]
End = Annotated[str, Query(description="End, not included.", examples=["now"])]

GroupBy = Annotated[
    Literal["service", "version", "namespace", "operation"],
    Query(
        description="What a node is. Calls tell the version and the operation of the called end only: the calling"
        " end stays the service, or is its version where it has one only.",
        examples=["version"],
    ),
]
Messaging = Annotated[
    Literal["collapsed", "expanded"],
    Query(description="Destinations between producers and consumers, or not.", examples=["expanded"]),
]
Hops = Annotated[
    Literal["collapsed", "expanded"],
    Query(
        description="Proxies between services as nodes, or not: one that bears its service's name is"
        " `proxy(<service id>)`, a sidecar has its own.",
        examples=["expanded"],
    ),
]
Namespace = Annotated[
    str, Query(description="Only this namespace and what it talks to.", examples=["shop"], max_length=4096)
]
Focus = Annotated[
    str, Query(description="Only what is near this node.", examples=["shop/checkout"], max_length=4096)
]
Depth = Annotated[int, Query(ge=1, le=10, description="How many calls away from `focus`.", examples=[2])]
Unidentified = Annotated[bool, Query(description="Show targets that have no name at all.", examples=[True])]


def view(
    group_by: GroupBy = "service",
    messaging: Messaging = "collapsed",
    hops: Hops = "collapsed",
    namespace: Namespace = "",
    focus: Focus = "",
    depth: Depth = 1,
    unidentified: Unidentified = False,
) -> Question:
    """What of a mesh is shown, and how; of the default window."""
    return Question(
        messaging=messaging,
        hops=hops,
        unidentified=unidentified,
        namespace=namespace,
        focus=focus,
        depth=depth,
        group_by=group_by,
    )


View = Annotated[Question, Depends(view)]


def question(
    shown: View,
    start: Start = "now-15m",
    end: End = "now",
    idle: Annotated[
        bool,
        Query(description="Show what is known in the retention and silent in the window.", examples=[True]),
    ] = False,
) -> Question:
    """The parameters of a graph, the same for the document, the stream and exports."""
    return replace(shown, start=start, end=end, idle=idle)


Asked = Annotated[Question, Depends(question)]
