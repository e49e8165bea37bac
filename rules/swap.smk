"""Swap: the new faces of one chunk, and the mattes they are laid in through."""


rule swap:
    """Make the talent's face for every crop of one chunk."""
    input:
        plate="<work>/{shot}/plate.json",
        crops="<work>/{shot}/align/{chunk}.json",
        tracks="<work>/{shot}/track.json",
        talents=talents_of_shot,
    output:
        "<work>/{shot}/swap/{chunk}.json",
    log:
        "<work>/{shot}/logs/swap/{chunk}.log",
    benchmark:
        "<work>/{shot}/benchmarks/swap/{chunk}.tsv"
    priority: urgency
    conda:
        "../envs/understudy.yaml"
    params:
        job=job("swap"),
    script:
        "../scripts/swap.py"


rule matte:
    """Build the matte layers of one chunk and their combination."""
    input:
        plate="<work>/{shot}/plate.json",
        crops="<work>/{shot}/align/{chunk}.json",
        tracks="<work>/{shot}/track.json",
        faces="<work>/{shot}/swap/{chunk}.json",
        roto=roto_files,
    output:
        "<work>/{shot}/matte/{chunk}.json",
    log:
        "<work>/{shot}/logs/matte/{chunk}.log",
    benchmark:
        "<work>/{shot}/benchmarks/matte/{chunk}.tsv"
    priority: urgency
    conda:
        "../envs/understudy.yaml"
    params:
        job=job("matte"),
    script:
        "../scripts/matte.py"
