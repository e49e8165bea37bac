"""A small workflow of its own: measure each new or changed plate before the main graph is planned.

Input: the plates named in the request that the main Snakefile writes. Output: `plate.json`, which carries the plate's identity,
and `plate.stamp`, the little that planning needs.
"""


pathvars:
    work=config["work"],


rule all:
    """Every plate of the request measured."""
    input:
        collect("<work>/{shot}/plate.json", shot=config["plates"]),


def plate_of(wildcards):
    """Path of a shot's plate, as the shot list gives it."""
    return config["plates"][wildcards.shot]


rule ingest:
    """Measure a plate: exact rate, frames by counting, size, colour, timecode, audio, identity."""
    output:
        plate="<work>/{shot}/plate.json",
        stamp="<work>/{shot}/plate.stamp",
    log:
        "<work>/{shot}/logs/ingest.log",
    conda:
        "../envs/understudy.yaml"
    params:
        plate=plate_of,
    script:
        "../scripts/ingest.py"
