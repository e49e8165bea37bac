"""Deliver: movies, numbers and flags of a finished shot."""


rule encode:
    """Encode the movies of a shot and lay the shot's settings and fit beside them."""
    input:
        plate="<work>/{shot}/plate.json",
        finished=chunks_of("composite"),
        fit="<work>/{shot}/match.json",
    output:
        "<work>/{shot}/encode.json",
    log:
        "<work>/{shot}/logs/encode.log",
    benchmark:
        "<work>/{shot}/benchmarks/encode.tsv"
    priority: urgency
    conda:
        "../envs/understudy.yaml"
    params:
        job=job("encode"),
    script:
        "../scripts/encode.py"


rule qc:
    """Measure the finished frames of a shot against its plate, and flag what a person should look at."""
    input:
        plate="<work>/{shot}/plate.json",
        frames=stored_shot,
        tracks="<work>/{shot}/track.json",
        crops=chunks_of("align"),
        mattes=chunks_of("matte"),
        finished=chunks_of("composite"),
    output:
        "<work>/{shot}/qc.json",
    log:
        "<work>/{shot}/logs/qc.log",
    benchmark:
        "<work>/{shot}/benchmarks/qc.tsv"
    priority: urgency
    conda:
        "../envs/understudy.yaml"
    params:
        job=job("qc"),
    script:
        "../scripts/qc.py"
