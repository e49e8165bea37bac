"""Swap: the new faces of one chunk, restored and steadied where the look says so, and the mattes they are laid through."""


rule swap:
    """Make the talent's face for every crop of one chunk."""
    input:
        plate="<work>/{shot}/plate.json",
        crops="<work>/{shot}/align/{chunk}.json",
        tracks="<work>/{shot}/track.json",
        talents=talents_of_shot,
        models=models_of("swap"),
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


rule enhance:
    """Restore the new faces of one chunk, at full strength."""
    input:
        plate="<work>/{shot}/plate.json",
        crops="<work>/{shot}/align/{chunk}.json",
        tracks="<work>/{shot}/track.json",
        faces="<work>/{shot}/swap/{chunk}.json",
        models=models_of("enhance"),
    output:
        "<work>/{shot}/enhance/{chunk}.json",
    log:
        "<work>/{shot}/logs/enhance/{chunk}.log",
    benchmark:
        "<work>/{shot}/benchmarks/enhance/{chunk}.tsv"
    priority: urgency
    conda:
        "../envs/understudy.yaml"
    params:
        job=job("enhance"),
    script:
        "../scripts/enhance.py"


rule steady:
    """Blend the new faces of one chunk with those of the frames around them, along the plate's motion."""
    input:
        plate="<work>/{shot}/plate.json",
        crops=chunk_of("align", "steady"),
        tracks="<work>/{shot}/track.json",
        faces=chunk_of("swap", "steady"),
        restored=chunk_of("enhance", "steady"),
    output:
        "<work>/{shot}/steady/{chunk}.json",
    log:
        "<work>/{shot}/logs/steady/{chunk}.log",
    benchmark:
        "<work>/{shot}/benchmarks/steady/{chunk}.tsv"
    priority: urgency
    conda:
        "../envs/understudy.yaml"
    params:
        job=job("steady"),
    script:
        "../scripts/steady.py"


rule matte:
    """Build the matte layers of one chunk and their combination."""
    input:
        plate="<work>/{shot}/plate.json",
        crops=chunk_of("align", "matte"),
        tracks="<work>/{shot}/track.json",
        faces=chunk_of("swap", "matte"),
        roto=roto_files,
        models=models_of("matte"),
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
