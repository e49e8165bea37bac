"""Faces: the talents' pictures, detection, tracks and crops."""


rule talent:
    """Find the one face on each of a talent's pictures."""
    input:
        pictures=pictures_of_talent,
        models=models_of_talent,
    output:
        "<talent>/{talent}/atlas.json",
    log:
        "<talent>/{talent}/atlas.log",
    benchmark:
        "<talent>/{talent}/atlas.tsv"
    conda:
        "../envs/understudy.yaml"
    params:
        job=talent_job,
    script:
        "../scripts/talent.py"


rule detect:
    """Find every face of one chunk: box, landmarks, score."""
    input:
        plate="<work>/{shot}/plate.json",
        frames=chunk_of("extract"),
        models=models_of("detect"),
    output:
        "<work>/{shot}/detect/{chunk}.json",
    log:
        "<work>/{shot}/logs/detect/{chunk}.log",
    benchmark:
        "<work>/{shot}/benchmarks/detect/{chunk}.tsv"
    priority: urgency
    conda:
        "../envs/understudy.yaml"
    params:
        job=job("detect"),
    script:
        "../scripts/detect.py"


rule track:
    """Link, fill, smooth and cast the faces of a whole shot."""
    input:
        plate="<work>/{shot}/plate.json",
        frames=chunks_of("extract"),
        faces=chunks_of("detect"),
        pictures=pictures_of_cast,
        models=models_of("track"),
    output:
        "<work>/{shot}/track.json",
    log:
        "<work>/{shot}/logs/track.log",
    benchmark:
        "<work>/{shot}/benchmarks/track.tsv"
    priority: urgency
    conda:
        "../envs/understudy.yaml"
    params:
        job=job("track"),
    script:
        "../scripts/track.py"


rule align:
    """Cut the crops of one chunk's cast faces out of the plate."""
    input:
        plate="<work>/{shot}/plate.json",
        frames=chunk_of("extract"),
        tracks="<work>/{shot}/track.json",
    output:
        "<work>/{shot}/align/{chunk}.json",
    log:
        "<work>/{shot}/logs/align/{chunk}.log",
    benchmark:
        "<work>/{shot}/benchmarks/align/{chunk}.tsv"
    priority: urgency
    conda:
        "../envs/understudy.yaml"
    params:
        job=job("align"),
    script:
        "../scripts/align.py"
