"""Models: the networks that the looks need, in the store, each with a stamp that says which file it is.

`fetch_model` is the only rule that uses the network; everything after it works offline.
"""


def stamps_of_models(names):
    """The stamps of models; a vendor's command, which has no file, has none."""
    return [f"{SHOW.work}/models/{name}.json" for name in names if has_file(SHOW.models[name])]


def models_of(stage):
    """The models that a stage is given."""

    def of(wildcards):
        return stamps_of_models(PLAN.models(stage, wildcards.shot))

    return of


def models_of_talent(wildcards):
    """The models that a talent's pictures are looked at with."""
    return stamps_of_models(SHOW.models_of_talent(wildcards.talent))


def model_job(wildcards):
    """Params of `fetch_model`."""
    return {
        "model": wildcards.model,
        "card": SHOW.models[wildcards.model],
        "store": str(SHOW.store),
        "lock": str(SHOW.lock),
    }


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
        stamps_of_models(SHOW.models_needed()),
