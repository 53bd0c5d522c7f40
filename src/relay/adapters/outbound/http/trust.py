"""Whose certificates are believed: those the system trusts, whatever the environment says."""

import ssl
import sys
from pathlib import Path

_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, Red Hat
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # BSD, macOS
)


def system_trust() -> ssl.SSLContext:
    """A context that verifies name and chain against the system's own authorities.

    The paths OpenSSL was built with are asked for, as its default would heed `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if sys.platform in ("win32", "darwin"):
        context.load_default_certs()
        return context
    paths = ssl.get_default_verify_paths()
    bundles = (paths.openssl_cafile, *_BUNDLES)
    cafile = next((bundle for bundle in bundles if Path(bundle).is_file()), None)
    capath = paths.openssl_capath if Path(paths.openssl_capath).is_dir() else None
    if cafile or capath:
        context.load_verify_locations(cafile, capath)
    return context
