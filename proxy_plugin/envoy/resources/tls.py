"""TLS of listeners and clusters: certificates come by SDS on the same stream, each end proves who it is."""

from __future__ import annotations

from proxy_plugin.envoy.api import SDS
from proxy_plugin.envoy.mesh import Mesh, Sidecar, spiffe_id
from proxy_plugin.envoy.mtls import Stage, stage
from proxy_plugin.envoy.resources.values import ADS, EXTENSIONS, MESH_CA, WORKLOAD_CERT, Json

_OWN: list[Json] = [{"name": WORKLOAD_CERT, "sds_config": ADS}]
_TRUSTED: Json = {"name": MESH_CA, "sds_config": ADS}
# A client of Envoy's offers TLS 1.2 at most unless told otherwise.
_VERSIONS: Json = {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"}


def inspector() -> Json:
    """Tells TLS from plain text by the first bytes. Always there: only so are listeners changed in place."""
    kind = EXTENSIONS + "filters.listener.tls_inspector.v3.TlsInspector"
    return {"name": "envoy.filters.listener.tls_inspector", "typed_config": {"@type": kind}}


def filter_chains(at: Stage, chain: Json) -> list[Json]:
    """`chain` for plain text, for TLS, or for both. Each keeps its connections when the other comes or goes."""
    plain = {"name": "plain", "filter_chain_match": {"transport_protocol": "raw_buffer"}, **chain}
    tls = {
        "name": "mtls",
        "filter_chain_match": {"transport_protocol": "tls"},
        "transport_socket": _accepting(),
        **chain,
    }
    if at == Stage.OFF:
        return [plain]
    return [tls] if at == Stage.REQUIRED else [tls, plain]


def speaking(mesh: Mesh, target: str) -> Json:
    """For a cluster: TLS, and only with whoever proves to be `target`; nothing while that is not spoken."""
    if stage(mesh, target) < Stage.SPOKEN:
        return {}
    expected = [{"san_type": "URI", "matcher": {"exact": spiffe_id(target)}}]
    context = {
        "tls_params": _VERSIONS,
        "tls_certificate_sds_secret_configs": _OWN,
        "combined_validation_context": {
            "default_validation_context": {"match_typed_subject_alt_names": expected},
            "validation_context_sds_secret_config": _TRUSTED,
        },
    }
    return {"transport_socket": _socket("UpstreamTlsContext", {"common_tls_context": context})}


def secrets(sidecar: Sidecar, mesh: Mesh) -> dict[str, Json]:
    """The secrets that a sidecar needs, by name and without what is secret: that is put in when it is sent."""
    listens = sidecar.role == "sidecar" and stage(mesh, sidecar.id) > Stage.OFF
    calls = any(stage(mesh, upstream.id) >= Stage.SPOKEN for upstream in sidecar.targets())
    names = (WORKLOAD_CERT, MESH_CA) if listens or calls else ()
    return {name: {"@type": SDS, "name": name} for name in names}


def _accepting() -> Json:
    context = {
        "tls_params": _VERSIONS,
        "tls_certificate_sds_secret_configs": _OWN,
        "validation_context_sds_secret_config": _TRUSTED,
    }
    config = {"require_client_certificate": True, "common_tls_context": context}
    return _socket("DownstreamTlsContext", config)


def _socket(kind: str, config: Json) -> Json:
    typed = {"@type": f"{EXTENSIONS}transport_sockets.tls.v3.{kind}", **config}
    return {"name": "envoy.transport_sockets.tls", "typed_config": typed}
