"""Housekeeping: targets that check, tidy and report; none of them makes a picture."""


rule verify:
    """Check every record and plate; drop the records that no longer hold, and name what was damaged."""
    log:
        "<work>/logs/verify.log",
    conda:
        "../envs/understudy.yaml"
    params:
        root=str(SHOW.root / SHOW.name),
    script:
        "../scripts/verify.py"


rule collect_stale:
    """Remove payloads that no record names any more."""
    log:
        "<work>/logs/collect.log",
    conda:
        "../envs/understudy.yaml"
    params:
        root=str(SHOW.root / SHOW.name),
    script:
        "../scripts/collect.py"


rule doctor:
    """Check this machine: runtime, models, space and encoders, each with the command that mends it."""
    log:
        "<work>/logs/doctor.log",
    conda:
        "../envs/understudy.yaml"
    params:
        project=str(HERE.parent / "pyproject.toml"),
        root=str(SHOW.root),
        store=str(SHOW.store),
        lock=str(SHOW.lock),
        models={name: SHOW.models[name] for name in NEEDED if has_file(SHOW.models[name])},
        provider=SHOW.device["provider"],
    script:
        "../scripts/doctor.py"
