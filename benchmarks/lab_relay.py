"""The relay as the scenarios with TLS need it: trusting the benchmarks' certificate."""

import os
import ssl
import sys

from relay.__main__ import main

TRUSTED = "BENCH_TRUSTED_CERTIFICATE"


def _trust(certificate: str) -> None:
    """The relay heeds no variable that names authorities, only what the system's OpenSSL was built with."""
    paths = ssl.get_default_verify_paths()._replace(openssl_cafile=certificate)
    ssl.get_default_verify_paths = lambda: paths


if __name__ == "__main__":
    if certificate := os.environ.get(TRUSTED):
        _trust(certificate)
    sys.exit(main())
