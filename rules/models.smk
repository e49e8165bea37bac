"""Models: the networks that the looks need, in the store, each with a stamp that says which file it is.

`fetch_model` is the only rule that uses the network; everything after it works offline.
"""


rule fetch_model:
    """Put one model into the store, from its wheel, file or address, and check its hash."""
    output:
        "<work>/models/{model}.json",
    log:
        "<work>/logs/models/{model}.log",
    conda:
        "../envs/understudy.yaml"
    params:
        job=model_job,
    script:
        "../scripts/fetch_model.py"


rule models:
    """Every model that the looks of the selected shots need, and what feeds it, in the store."""
    input:
        stamps_of_models(NEEDED),
