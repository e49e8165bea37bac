#!/bin/sh
# Run by Snakemake when it has made the environment. The file and its hashes are those of requirements.lock.
set -eu
python -m pip install --disable-pip-version-check --no-deps --require-hashes -r /dev/stdin <<'END'
insightface==2.1 \
    --hash=sha256:776cbd36b70f5f2ae1a026101cfb80387f0b2280a0dbaf073f8d3ed69f554e01 \
    --hash=sha256:dcd58ee79d99d689572477315f3149353afd65a36dc575f597cbb217a7bde399
END
