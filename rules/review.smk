"""Review: the page a supervisor opens, and the contact sheet that comes before the night."""


rule review:
    """One static page over the selected shots."""
    input:
        shots=shots_for("qc.json"),
        movies=shots_for("encode.json"),
    output:
        "<review>/index.html",
    log:
        "<work>/logs/review.log",
    conda:
        "../envs/understudy.yaml"
    params:
        show=review_params,
    script:
        "../scripts/review.py"


rule verdict:
    """End the run non-zero, and say why, when QC failed a shot; the page is there by then."""
    input:
        page="<review>/index.html",
        shots=shots_for("qc.json"),
    output:
        "<work>/verdict.txt",
    log:
        "<work>/logs/verdict.log",
    conda:
        "../envs/understudy.yaml"
    script:
        "../scripts/verdict.py"


rule hero:
    """Render the few most telling frames of a shot."""
    input:
        plate="<work>/{shot}/plate.json",
        frames=chunks_of("extract"),
        tracks="<work>/{shot}/track.json",
        talents=talents_of_shot,
        roto=roto_files,
        models=models_of("hero"),
    output:
        "<work>/{shot}/preview.json",
    log:
        "<work>/{shot}/logs/preview.log",
    benchmark:
        "<work>/{shot}/benchmarks/preview.tsv"
    priority: urgency
    conda:
        "../envs/understudy.yaml"
    params:
        job=job("hero"),
    script:
        "../scripts/hero.py"


rule preview:
    """One contact sheet: the most telling frames of every selected shot, plate above result."""
    input:
        shots=shots_for("preview.json"),
    output:
        "<review>/preview.png",
    log:
        "<work>/logs/preview.log",
    conda:
        "../envs/understudy.yaml"
    script:
        "../scripts/preview.py"


rule cells:
    """The most telling frames of a shot under every combination of the settings in `wedge`, on one sheet."""
    input:
        plate="<work>/{shot}/plate.json",
        frames=chunks_of("extract"),
        tracks="<work>/{shot}/track.json",
        talents=talents_of_shot,
        roto=roto_files,
        models=models_of("wedge"),
    output:
        "<work>/{shot}/wedge.json",
    log:
        "<work>/{shot}/logs/wedge.log",
    benchmark:
        "<work>/{shot}/benchmarks/wedge.tsv"
    priority: urgency
    conda:
        "../envs/understudy.yaml"
    params:
        job=job("wedge"),
    script:
        "../scripts/wedge.py"


rule wedge:
    """A sheet per selected shot, under the review folder: --config wedge="match.light=0,0.5,1"."""
    input:
        shots_for("wedge.json"),
