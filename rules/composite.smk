"""Composite: one fit of colour, texture and grain per shot, then what is changed of the frames of every chunk."""


rule match:
    """Fit colour, texture and grain once for a shot."""
    input:
        plate="<work>/{shot}/plate.json",
        crops=chunks_of("align"),
        tracks="<work>/{shot}/track.json",
        faces=chunks_of("swap"),
        restored=chunks_of("enhance"),
        steadied=chunks_of("steady"),
        mattes=chunks_of("matte"),
    output:
        "<work>/{shot}/match.json",
    log:
        "<work>/{shot}/logs/match.log",
    benchmark:
        "<work>/{shot}/benchmarks/match.tsv"
    priority: urgency
    conda:
        "../envs/understudy.yaml"
    params:
        job=job("match"),
    script:
        "../scripts/match.py"


rule composite:
    """Finish the cast faces of one chunk: what is changed of its frames, as patches over the plate."""
    input:
        plate="<work>/{shot}/plate.json",
        crops="<work>/{shot}/align/{chunk}.json",
        tracks="<work>/{shot}/track.json",
        faces="<work>/{shot}/swap/{chunk}.json",
        restored=chunk_of("enhance"),
        steadied=chunk_of("steady"),
        mattes="<work>/{shot}/matte/{chunk}.json",
        fit="<work>/{shot}/match.json",
    output:
        "<work>/{shot}/composite/{chunk}.json",
    log:
        "<work>/{shot}/logs/composite/{chunk}.log",
    benchmark:
        "<work>/{shot}/benchmarks/composite/{chunk}.tsv"
    priority: urgency
    conda:
        "../envs/understudy.yaml"
    params:
        job=job("composite"),
    script:
        "../scripts/composite.py"
