"""Plates: the frame store of movie plates. Image sequences are read in place and never copied."""


rule extract:
    """Decode one chunk of a movie plate into one lossless file per frame."""
    input:
        plate="<work>/{shot}/plate.json",
    output:
        "<work>/{shot}/extract/{chunk}.json",
    log:
        "<work>/{shot}/logs/extract/{chunk}.log",
    benchmark:
        "<work>/{shot}/benchmarks/extract/{chunk}.tsv"
    priority: urgency
    conda:
        "../envs/understudy.yaml"
    params:
        job=job("extract"),
    script:
        "../scripts/extract.py"
