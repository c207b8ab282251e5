"""The mesh's authority: what its certificates say, where its key is, and when others take their place."""

from __future__ import annotations

import base64
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from proxy_plugin.envoy.api import envoy_api
from proxy_plugin.envoy.identity import Authority, AuthorityError, Identities
from tests.proxy_plugin.values import CHECKOUT, PAYMENTS_V1, PAYMENTS_V2, sidecar


def inline(secret: dict[str, dict[str, dict[str, str]]], part: str, name: str) -> bytes:
    return base64.b64decode(secret[part][name]["inline_bytes"])


def leaf(identities: Identities) -> x509.Certificate:
    secret = identities.secrets(CHECKOUT)["workload_cert"]
    return x509.load_pem_x509_certificate(inline(secret, "tls_certificate", "certificate_chain"))


def test_a_certificate_names_the_service_and_is_signed_by_the_authority() -> None:
    authority = Authority.new()
    issued = authority.issue("shop/checkout")
    certificate = x509.load_pem_x509_certificate(issued.certificate)
    root = x509.load_pem_x509_certificate(authority.certificate())
    certificate.verify_directly_issued_by(root)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    assert uris == ["spiffe://mesh.local/ns/shop/sa/checkout"]
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    key = load_pem_private_key(issued.key, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert isinstance(key.curve, ec.SECP256R1)
    assert key.public_key() == certificate.public_key()
    assert certificate.not_valid_after_utc - datetime.now(UTC) < timedelta(hours=24, seconds=1)


def test_a_service_without_a_namespace_is_in_the_default_one() -> None:
    certificate = x509.load_pem_x509_certificate(Authority.new().issue("cart").certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [
        "spiffe://mesh.local/ns/default/sa/cart"
    ]


def test_the_authority_outlasts_a_restart(tmp_path: Path) -> None:
    first = Identities(tmp_path / "identity").authority().certificate()
    assert Identities(tmp_path / "identity").authority().certificate() == first


def test_nothing_is_made_before_it_is_used(tmp_path: Path) -> None:
    identities = Identities(tmp_path / "identity")
    assert list(tmp_path.iterdir()) == []
    identities.secrets(CHECKOUT)
    assert [path.name for path in (tmp_path / "identity").iterdir()] == ["authority.pem"]


def test_its_key_is_for_the_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Authority.kept_in(tmp_path / "identity")
    finally:
        os.umask(before)
    assert (tmp_path / "identity").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "identity" / "authority.pem").stat().st_mode & 0o777 == 0o600


def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    Authority.kept_in(tmp_path)
    (tmp_path / "authority.pem").chmod(0o640)
    with pytest.raises(AuthorityError, match="0600"):
        Authority.kept_in(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"nothing", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_broken_file_is_named_and_not_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "authority.pem"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(AuthorityError, match=r"authority\.pem"):
        Authority.kept_in(tmp_path)
    assert path.read_bytes() == content


def test_a_key_beside_a_strange_certificate_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "authority.pem"
    path.write_bytes(Authority.new().issue("a").key + Authority.new().certificate())
    path.chmod(0o600)
    with pytest.raises(AuthorityError, match="not the certificate's"):
        Authority.kept_in(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AuthorityError, match=r"authority\.pem"):
        Authority.kept_in(tmp_path / "file")


def test_each_proxy_has_its_own_key_and_keeps_it() -> None:
    identities = Identities()
    keys = [
        inline(identities.secrets(each)["workload_cert"], "tls_certificate", "private_key")
        for each in (PAYMENTS_V1, PAYMENTS_V2, PAYMENTS_V1)
    ]
    assert keys[0] == keys[2] != keys[1]


def test_who_comes_back_as_another_service_gets_another_identity() -> None:
    """The node id says the instance, not the service."""
    identities = Identities()
    pretender = sidecar("shop/front", instance=CHECKOUT.instance)
    assert pretender.node_id == CHECKOUT.node_id
    identities.secrets(CHECKOUT)
    secret = identities.secrets(pretender)["workload_cert"]
    certificate = x509.load_pem_x509_certificate(inline(secret, "tls_certificate", "certificate_chain"))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [
        "spiffe://mesh.local/ns/shop/sa/front"
    ]


def test_another_takes_its_place_long_before_the_end() -> None:
    identities = Identities(renew_after=timedelta(0))
    first, second = leaf(identities), leaf(identities)
    assert first.serial_number != second.serial_number
    kept = Identities()
    assert leaf(kept).serial_number == leaf(kept).serial_number
    renew_at = kept.authority().issue("a").renew_at
    assert timedelta(hours=11) < renew_at - datetime.now(UTC) <= timedelta(hours=12)
    assert kept.look_every == 3600


def test_who_is_gone_is_forgotten() -> None:
    identities = Identities()
    first = leaf(identities).serial_number
    identities.keep({CHECKOUT.node_id})
    assert leaf(identities).serial_number == first
    identities.keep(set())
    assert leaf(identities).serial_number != first


def test_envoys_api_takes_the_secrets_and_a_key_is_not_printed() -> None:
    identities = Identities()
    for secret in identities.secrets(CHECKOUT).values():
        envoy_api().pack(secret)
    assert "PRIVATE" not in repr(identities.authority().issue("a"))
