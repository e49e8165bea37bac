"""Deliver: frames, mattes, movies, numbers and flags of a finished shot."""


rule stills:
    """Write the finished frames of one chunk, and their mattes, into the shot's results."""
    input:
        plate="<work>/{shot}/plate.json",
        frames=chunk_of("extract"),
        finished="<work>/{shot}/composite/{chunk}.json",
    output:
        "<work>/{shot}/stills/{chunk}.json",
    log:
        "<work>/{shot}/logs/stills/{chunk}.log",
    benchmark:
        "<work>/{shot}/benchmarks/stills/{chunk}.tsv"
    priority: urgency
    conda:
        "../envs/understudy.yaml"
    params:
        job=job("stills"),
    script:
        "../scripts/stills.py"


rule encode:
    """Encode the movies of a shot and lay the shot's settings and fit beside them."""
    input:
        plate="<work>/{shot}/plate.json",
        frames=chunks_of("extract"),
        finished=chunks_of("composite"),
        stills=chunks_of("stills"),
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
    threads: 2
    params:
        job=job("encode"),
    script:
        "../scripts/encode.py"


rule qc:
    """Measure the finished frames of a shot against its plate, and flag what a person should look at."""
    input:
        plate="<work>/{shot}/plate.json",
        frames=chunks_of("extract"),
        tracks="<work>/{shot}/track.json",
        crops=chunks_of("align"),
        mattes=chunks_of("matte"),
        finished=chunks_of("composite"),
        fit="<work>/{shot}/match.json",
        models=models_of("qc"),
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
