"""``/metrics``: our own counters in the Prometheus text format."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from web.problems import known_query_only, problem_responses


def router(registry: CollectorRegistry) -> APIRouter:
    """The route; the gate lets local scrapers in without a token."""
    routes = APIRouter(
        tags=["meta"], dependencies=[Depends(known_query_only)], responses=problem_responses(400)
    )

    @routes.get("/metrics", summary="Our own metrics, for Prometheus", response_class=Response)
    async def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return routes
