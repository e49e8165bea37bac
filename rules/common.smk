"""Parse-time helpers: the show, its plan, and the functions that rules take their inputs and params from.

Nothing here opens a plate. Ingest is a small workflow of its own (ingest.smk) that runs first, once, for the shots whose plates
are new or changed; with the ranges known, every chunk is known while the Snakefile is parsed.
"""

import sys
from datetime import date
from pathlib import Path

HERE = Path(workflow.current_basedir.get_path_or_uri(secret_free=True))
sys.path.insert(0, str(HERE.parent / "scripts"))

from understudy.runtime.cards import has_file
from understudy.runtime.doctor import check_runtime
from understudy.runtime.lock import hold
from understudy.runtime.models import drop_stale
from understudy.runtime.status import write_plan
from understudy.show.load import load_show
from understudy.show.plan import Plan, Stamp
from understudy.stages.ingest_first import ingest_first

BASE = Path.cwd()
SHOW = load_show(config, BASE, today=date.today())
NEEDED = SHOW.models_needed()

if workflow.is_main_process:
    check_runtime()
    if not SHOW.shots:
        print(f"nothing to do: the shot list {config['shots']} has no shots", file=sys.stderr)
    for words in SHOW.warnings():
        print(f"warning: {words}", file=sys.stderr)
    for words in SHOW.costs():
        print(f"cost: {words}", file=sys.stderr)
    drop_stale(SHOW.work / "models", SHOW.models, NEEDED, SHOW.store)
    ingest_first(SHOW, config, HERE / "ingest.smk")

PLAN = Plan(SHOW, {shot: Stamp.read(SHOW.work / shot / "plate.stamp") for shot in SHOW.shots})


pathvars:
    work=str(SHOW.work),
    out=str(SHOW.out),
    review=str(SHOW.review),
    talent=str(SHOW.talent_folder),
    store=str(SHOW.store),


wildcard_constraints:
    shot=r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}",
    talent=r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}",
    chunk=r"\d+-\d+",
    model=r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}",


onstart:
    hold(SHOW.work / "driver.lock")
    write_plan(SHOW.work / "plan.json", PLAN.totals())


def job(stage):
    """Params of one stage: subject, resolved settings and code digest, as one dict."""

    def of(wildcards):
        return PLAN.job(stage, wildcards.shot, getattr(wildcards, "chunk", None))

    return of


def chunk_of(stage, reader=None):
    """The record of a stage for a chunk, and for those beside it that a reader's window reaches; none without that stage."""

    def of(wildcards):
        shot, chunk = wildcards.shot, wildcards.chunk
        reach = PLAN.window(reader, shot) if reader else 0
        chunks = PLAN.around(shot, chunk, reach) if PLAN.has(stage, shot) else []
        return [f"{SHOW.work}/{shot}/{stage}/{name}.json" for name in chunks]

    return of


def chunks_of(stage):
    """The records of a stage for every chunk of a shot; none where the shot does without that stage."""

    def of(wildcards):
        shot = wildcards.shot
        chunks = PLAN.chunks(shot) if PLAN.has(stage, shot) else []
        return [f"{SHOW.work}/{shot}/{stage}/{chunk}.json" for chunk in chunks]

    return of


def talents_of_shot(wildcards):
    """The prepared pictures of every talent that a shot casts."""
    return [f"{SHOW.talent_folder}/{talent}/atlas.json" for talent in SHOW.talents_of(wildcards.shot)]


def pictures_of_talent(wildcards):
    """The pictures that talent.yaml names."""
    return [str(picture) for picture in SHOW.talents[wildcards.talent].pictures]


def urgency(wildcards):
    """The shot list's priority, so that whole shots finish first."""
    return SHOW.shots[wildcards.shot].priority


def every_shot(wildcards):
    """The last records of every selected shot; those of its chunks too, so that a dropped one is made anew."""
    return [f"{SHOW.work}/{shot}/{name}.json" for shot in SHOW.shots for name in PLAN.last(shot)]


def page_and_verdict(wildcards):
    """The review page and QC's word on it, where there is a shot to show."""
    return [f"{SHOW.review}/index.html", f"{SHOW.work}/verdict.txt"] if SHOW.shots else []


def shots_for(name):
    """One file per selected shot."""

    def of(wildcards):
        return [f"{SHOW.work}/{shot}/{name}" for shot in SHOW.shots]

    return of


def roto_files(wildcards):
    """The roto pictures there are for a chunk or a shot; the stage refuses a missing one by its frame."""
    first, last = PLAN.frames(wildcards.shot, getattr(wildcards, "chunk", None))
    patterns = [str(roto.pattern) for roto in SHOW.overrides(wildcards.shot).roto]
    files = [pattern % frame for pattern in patterns for frame in range(first, last + 1)]
    return [file for file in files if Path(file).is_file()]


def pictures_of_cast(wildcards):
    """The pictures that performers of a shot are cast by."""
    return [str(path) for path in SHOW.pictures_of(wildcards.shot).values()]


def talent_job(wildcards):
    """Params of `talent`."""
    return PLAN.talent_job(wildcards.talent)


def review_params(wildcards):
    """What the review page says about the show."""
    return {"name": SHOW.name, "work": str(SHOW.work), "out": str(SHOW.out), "shots": list(SHOW.shots)}
