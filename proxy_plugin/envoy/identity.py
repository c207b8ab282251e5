"""Who a proxy is, proven: a certificate authority of the mesh, and the certificates that it issues (SPIFFE).

A certificate is for one proxy and names its service, `spiffe://<trust domain>/ns/<namespace>/sa/<service>`.
It reaches the proxy by SDS and is kept nowhere else; after half of its life another one takes its place.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from proxy_plugin.envoy.api import SDS
from proxy_plugin.envoy.mesh import TRUST_DOMAIN, Sidecar, spiffe_id
from proxy_plugin.envoy.resources.values import MESH_CA, WORKLOAD_CERT, Json

LIFETIME = timedelta(hours=24)
_AUTHORITY_LIFETIME = timedelta(days=3650)
_CLOCKS_DIFFER_BY = timedelta(minutes=5)
_FILE = "authority.pem"


class AuthorityError(RuntimeError):
    """The authority's file cannot be used; the message says which and why, never what is in it."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate chain and its key as PEM. `renew_at`: when another one is to take its place."""

    certificate: bytes
    key: bytes = field(repr=False)
    renew_at: datetime


class Authority:
    """Signs certificates (ECDSA P-256). Its key leaves it only into its file."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._key = key
        self._certificate = certificate

    @classmethod
    def new(cls) -> Self:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Meshscope {TRUST_DOMAIN}")])
        builder = (
            _builder(name, key.public_key(), _AUTHORITY_LIFETIME)
            .issuer_name(name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"spiffe://{TRUST_DOMAIN}")]),
                critical=False,
            )
        )
        return cls(key, builder.sign(key, SHA256()))

    @classmethod
    def kept_in(cls, folder: Path) -> Self:
        """The one in that folder; made there at first use. AuthorityError when it cannot be used.

        Of two processes that make one at a time the first wins: a file is there only when it is whole.
        """
        path = folder / _FILE
        try:
            if not path.exists():
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                cls.new()._write(path)
            if path.stat().st_mode & 0o077:
                raise AuthorityError(f"{path} can be read by others: make its mode 0600, or remove the file")
            pem = path.read_bytes()
        except OSError as error:
            raise AuthorityError(f"{path} cannot be used: {error.strerror}") from error
        try:
            key = load_pem_private_key(pem, None)
            certificate = x509.load_pem_x509_certificate(pem)
        except (ValueError, TypeError):
            raise AuthorityError(f"{path} holds no key and certificate") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise AuthorityError(f"{path} holds a key that is not the certificate's")
        return cls(key, certificate)

    def _write(self, path: Path) -> None:
        with NamedTemporaryFile(dir=path.parent) as file:  # made with mode 0600
            file.write(_pem(self._key) + self.certificate())
            file.flush()
            os.fsync(file.fileno())
            try:
                os.link(file.name, path)
            except FileExistsError:
                return

    def certificate(self) -> bytes:
        """PEM: what the proxies trust."""
        return self._certificate.public_bytes(Encoding.PEM)

    def issue(
        self, service: str, lifetime: timedelta = LIFETIME, renew_after: timedelta | None = None
    ) -> Issued:
        """A new key and its certificate for a service (id), as server and as client."""
        key = ec.generate_private_key(ec.SECP256R1())
        identity = x509.UniformResourceIdentifier(spiffe_id(service))
        usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = (
            _builder(x509.Name([]), key.public_key(), lifetime)
            .issuer_name(self._certificate.subject)
            # RFC 5280: without a subject the alternative name is critical.
            .add_extension(x509.SubjectAlternativeName([identity]), critical=True)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(usages, critical=False)
        )
        certificate = builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM)
        renew_after = lifetime / 2 if renew_after is None else renew_after
        return Issued(certificate, _pem(key), datetime.now(UTC) + renew_after)


class Identities:
    """The certificates of the proxies. `folder`: where the authority is kept; None: it lives as long as this.

    Nothing is made or read before the first certificate is asked for.
    """

    def __init__(
        self,
        folder: Path | None = None,
        lifetime: timedelta = LIFETIME,
        renew_after: timedelta | None = None,
    ) -> None:
        self._folder, self._lifetime = folder, lifetime
        self._renew_after = lifetime / 2 if renew_after is None else renew_after
        self._authority: Authority | None = None
        self._issued: dict[tuple[str, str], Issued] = {}

    def authority(self) -> Authority:
        """AuthorityError when it cannot be used."""
        if self._authority is None:
            self._authority = Authority.kept_in(self._folder) if self._folder else Authority.new()
        return self._authority

    def trouble(self) -> str:
        """Why no certificate can be issued; empty when all is well."""
        try:
            self.authority()
        except AuthorityError as error:
            return str(error)
        return ""

    @property
    def look_every(self) -> float:
        """Seconds within which to ask for the certificates again, so that none grows too old."""
        return max(self._renew_after.total_seconds() / 12, 0.1)

    def secrets(self, sidecar: Sidecar) -> dict[str, Json]:
        """SDS resources by name. With a private key in them: for the proxy only."""
        known = sidecar.node_id, sidecar.id
        found = self._issued.get(known)
        if found is None or datetime.now(UTC) >= found.renew_at:
            found = self.authority().issue(sidecar.id, self._lifetime, self._renew_after)
            self._issued[known] = found
        own = {"certificate_chain": _inline(found.certificate), "private_key": _inline(found.key)}
        trusted = {"trusted_ca": _inline(self.authority().certificate())}
        return {
            WORKLOAD_CERT: {"@type": SDS, "name": WORKLOAD_CERT, "tls_certificate": own},
            MESH_CA: {"@type": SDS, "name": MESH_CA, "validation_context": trusted},
        }

    def keep(self, node_ids: Collection[str]) -> None:
        """Forget all others."""
        self._issued = {known: each for known, each in self._issued.items() if known[0] in node_ids}


def _builder(
    subject: x509.Name, key: ec.EllipticCurvePublicKey, lifetime: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_DIFFER_BY)
        .not_valid_after(now + lifetime)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _inline(content: bytes) -> Json:
    return {"inline_bytes": base64.b64encode(content).decode()}
