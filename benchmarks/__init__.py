"""What the relay costs, beside other gateways: measured by `make bench`, told in `docs/performance.md`."""
