"""Parse-time helpers about models: each has a stamp in the show's work folder that says which file it is."""


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
