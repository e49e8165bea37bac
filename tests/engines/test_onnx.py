"""Every family of swappers, by its real card over a generated network of its contract, checked on its pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import generated
from scene import FIVE, SWAP, face, plate, shot, talent, turned
from understudy.comp.lay import take
from understudy.engines.base import Engine
from understudy.engines.load import engine_for, load_engine
from understudy.engines.onnx import OnnxEngine
from understudy.engines.pages import rim
from understudy.engines.tiles import soften
from understudy.errors import ConfigError, ModelError
from understudy.faces.align import similarity
from understudy.runtime.cards import Weights
from understudy.runtime.network import Network
from understudy.runtime.sessions import Device

LayOver = Callable[..., Weights]
ENDS = ("inputs", "target"), ("outputs", "image")
IMAGENET = {"mean": generated.IMAGENET[0], "std": generated.IMAGENET[1], "decoded": False}
VECTORS = np.random.default_rng(0).normal(0, 1.5, (1, 512)).astype(np.float32)


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def close(image: np.ndarray, wanted: np.ndarray, within: float = 2e-5) -> bool:
    return image.shape == wanted.shape and float(np.abs(image - wanted).max()) < within


def by_emap(e: np.ndarray) -> np.ndarray:
    return unit(unit(e) @ generated.emap())


def by_converter(e: np.ndarray) -> np.ndarray:
    return unit(e) @ generated.conversion()


def unit_by_converter(e: np.ndarray) -> np.ndarray:
    return unit(by_converter(e))


FAMILIES = {
    # card: the network's maker, its latent from a raw vector, template, side
    "inswapper_128": (generated.inswapper, {}, by_emap, "arcface_128", 128),
    "inswapper_128_fp16": (generated.inswapper, {}, by_emap, "arcface_128", 128),
    "reswapper_128": (generated.inswapper, {}, by_emap, "arcface_128", 128),
    "reswapper_256": (generated.inswapper, {"size": 256}, by_emap, "arcface_128", 256),
    "instyleswapper_256_a": (generated.inswapper, {"size": 256}, by_emap, "arcface_128", 256),
    "hyperswap_1a_256": (generated.hyperswap, {}, unit, "arcface_128", 256),
    "simswap_256": (
        generated.normalised,
        {"size": 256, **IMAGENET},
        unit_by_converter,
        "arcface_112_v1",
        256,
    ),
    "simswap_unofficial_512": (
        generated.normalised,
        {"size": 512, "mean": 0, "std": 1},
        unit_by_converter,
        "arcface_112_v1",
        512,
    ),
    "ghost_1_256": (generated.normalised, {"size": 256}, by_converter, "arcface_112_v1", 256),
    "hififace_unofficial_256": (generated.normalised, {"size": 256}, unit_by_converter, "mtcnn_512", 256),
}


@pytest.fixture
def models(tmp_path: Path, cards: dict, lay_over: LayOver) -> Callable[[str], dict[str, Weights]]:
    """A swapper and all that feeds it, by name, each a real card over a generated file."""

    def made(name: str) -> dict[str, Weights]:
        maker, arguments = FAMILIES[name][:2]
        found = {name: lay_over(name, maker(tmp_path / f"{name}.onnx", **arguments))}
        for feeder in cards[name].get("fed_by", []):
            if cards[feeder]["role"] == "converter":
                found[feeder] = lay_over(feeder, generated.converter(tmp_path / f"{feeder}.onnx"))
                (feeder,) = cards[feeder]["fed_by"]
            found[feeder] = lay_over(feeder, generated.recogniser(tmp_path / f"{feeder}.onnx"))
        return found

    return made


def load(models: dict[str, Weights], name: str) -> Engine:
    return load_engine("onnx", name, models)


def run(engine: Engine, who=None, track=None, crop=None, five=FIVE, **settings):
    state = engine.prepare(who or talent(VECTORS), track or shot(), SWAP | settings)
    (new,) = engine.swap([plate() if crop is None else crop], state, [face(five=five)])
    return new


@pytest.mark.parametrize("name", FAMILIES)
def test_what_a_family_makes_is_the_crop_moved_by_its_latent(name, models) -> None:
    _, _, latent, template, side = FAMILIES[name]
    new = run(load(models(name), name))
    shift = 0.5 if name == "reswapper_256" else 0.0
    transform = similarity(FIVE, template, side, shift)
    assert new.transform == pytest.approx(transform, abs=1e-9)
    page = take(plate(), transform, side)
    moved = latent(VECTORS[0].astype(float)) @ generated.colours()
    mask = generated.oval(side)[..., None] if name.startswith("hyperswap") else 1.0
    assert np.abs(moved).max() > 0.05  # so that a latent left out or mistaken is seen
    assert close(new.image, np.clip(page + moved * mask, 0, 1))
    if name.startswith("hyperswap"):
        assert close(new.matte, generated.oval(side), 1e-6)
    else:
        assert np.array_equal(new.matte, rim(side, 0.3))


@pytest.mark.parametrize(
    "name, source_side, template",
    [("blendswap_256", 112, "arcface_112_v2"), ("uniface_256", 256, "ffhq_512")],
)
def test_a_swapper_by_picture_is_shown_the_talents_best(
    name, source_side, template, tmp_path, lay_over
) -> None:
    path = generated.by_image(tmp_path / "s.onnx", source_side, signed=name == "uniface_256")
    engine = load_engine("onnx", name, {name: lay_over(name, path)})
    pictures = tuple(plate(seed=i) for i in range(3))
    who = replace(talent(np.zeros((3, 512), np.float32)), pictures=pictures, quality=(0.2, 0.9, 0.5))
    new = run(engine, who)
    means = [
        take(p, similarity(FIVE, template, source_side), source_side).mean(axis=(0, 1)) for p in pictures
    ]
    page = take(plate(), similarity(FIVE, "ffhq_512", 256), 256)
    assert close(new.image, page + (means[1] - 0.5) / 2)
    # The first picture, which other tools use whatever they are given, would have been seen.
    assert np.abs(means[0] - means[1]).max() > 0.005


def test_the_best_picture_is_one_of_the_performers_pose(tmp_path, lay_over) -> None:
    path = generated.by_image(tmp_path / "s.onnx", 112)
    engine = load_engine("onnx", "blendswap_256", {"blendswap_256": lay_over("blendswap_256", path)})
    pictures = tuple(plate(seed=i) for i in range(3))
    who = replace(
        talent(np.zeros((3, 512), np.float32)),
        pictures=pictures,
        quality=(0.8, 0.8, 0.8),
        points=(turned(-50), turned(0), turned(50)),
    )
    for yaw, best in ((-45, 0), (5, 1), (40, 2)):
        state = engine.prepare(who, shot(yaw=yaw), SWAP)
        source = take(pictures[best], similarity(FIVE, "arcface_112_v2", 112), 112)
        assert state.source[0] == pytest.approx(source, abs=1e-6)


def test_colours_are_fed_as_red_green_blue(models, cards, lay_over) -> None:
    given = models("inswapper_128")
    moved = by_emap(VECTORS[0]) @ generated.colours()
    assert abs(moved[0] - moved[2]) > 0.03
    right = run(load(given, "inswapper_128"))
    card = cards["inswapper_128"]
    swapped = {side: {**card[side], key: {**card[side][key], "order": "bgr"}} for side, key in ENDS}
    wrong = run(
        load(
            given | {"inswapper_128": lay_over("inswapper_128", _pair(given["inswapper_128"])[1], **swapped)},
            "inswapper_128",
        )
    )
    page = take(plate(), right.transform, 128)
    # Fed the other way round, each colour is moved by what was meant for its opposite.
    assert close(right.image, page + moved) and close(wrong.image, page + moved[::-1])


@pytest.mark.parametrize("name", ["emap", "2157"])
def test_the_emap_is_found_by_name_or_by_shape(name, tmp_path, lay_over) -> None:
    path = generated.inswapper(tmp_path / "i.onnx", name=name, decoy=True)
    weights = lay_over("inswapper_128", path)
    engine = OnnxEngine(Network(weights.card, weights.path), "arcface_w600k_r50")
    assert engine.latents(VECTORS)[0] == pytest.approx(by_emap(VECTORS[0]), abs=1e-6)


def test_a_file_without_an_emap_is_refused(tmp_path, lay_over) -> None:
    path = generated.normalised(tmp_path / "i.onnx", 128, 0, 1)
    weights = lay_over("inswapper_128", path)
    with pytest.raises(ModelError, match="512, 512"):
        OnnxEngine(Network(weights.card, weights.path), "arcface_w600k_r50")


def alike(count: int, seed: int = 5) -> np.ndarray:
    """Vectors of one person: a direction of their own each, .9 of it common."""
    rng = np.random.default_rng(seed)
    common, own = unit(rng.normal(size=512)), rng.normal(0, 0.35 / np.sqrt(512), (count, 512))
    return (20 * (0.9 * common + own)).astype(np.float32)


def test_a_talents_pictures_are_averaged_by_worth_and_strangers_left_out(models) -> None:
    vectors = np.concatenate([alike(3), VECTORS])
    engine = load(models("inswapper_128"), "inswapper_128")
    who = replace(talent(vectors), quality=(0.5, 0.25, 0.0, 0.2))
    state = engine.prepare(who, shot(), SWAP)
    mean = 0.5 * unit(vectors[0]) + 0.25 * unit(vectors[1])
    assert state.source.shape == (1, 512)
    assert state.source[0] == pytest.approx(by_emap(mean), abs=1e-5)
    # The first picture alone, or a mean with the stranger, would have been seen.
    for other in (vectors[0], mean + 0.2 * unit(vectors[3])):
        assert np.abs(state.source[0] - by_emap(other)).max() > 5e-3


def test_by_yaw_each_frame_is_fed_the_looks_of_its_turn(models) -> None:
    vectors = alike(3)
    engine = load(models("inswapper_128"), "inswapper_128")
    who = replace(talent(vectors), points=(turned(-60), turned(0), turned(60)), quality=(0.5, 0.5, 0.5))
    track = shot(frames=3)
    track.pose[:, 0] = -60, 0, 60
    state = engine.prepare(who, track, SWAP | {"by_yaw": True, "boost": 256})
    assert state.source.shape == (3, 512)
    made = engine.swap([plate()] * 2, state, [replace(face(), index=2), replace(face(), index=0)])
    middle = unit(sum(unit(v) for v in vectors))
    for new, index in zip(made, (2, 0), strict=True):
        # The picture of that turn counts whole, the mean of all for half of one.
        latent = by_emap(unit(vectors[index]) + 0.5 * middle)
        assert state.source[index] == pytest.approx(latent, abs=1e-2)
        assert latent @ state.source[index] > latent @ state.source[1] + 0.02
        page = soften(take(plate(), new.transform, 256)[None], 2)[0]
        assert close(new.image, page + state.source[index] @ generated.colours())


@pytest.mark.parametrize(
    "name", ["inswapper_128", "hyperswap_1a_256", "simswap_256", "hififace_unofficial_256", "ghost_1_256"]
)
@pytest.mark.parametrize("strength", [0.0, 0.4, 1.5])
def test_strength_moves_between_two_latents_of_one_space(name, strength, models) -> None:
    latent = FAMILIES[name][2]
    rng = np.random.default_rng(6)
    performer = rng.normal(0, 2, 512)
    frames = np.stack([performer, np.full(512, np.nan), performer]).astype(np.float32)
    engine = load(models(name), name)
    source = engine.prepare(talent(VECTORS), shot(frames), SWAP | {"strength": strength}).source[0]
    own, other = latent(performer), latent(VECTORS[0].astype(float))
    angle = np.arccos(unit(own) @ unit(other))
    wanted = (np.sin((1 - strength) * angle) * unit(own) + np.sin(strength * angle) * unit(other)) / np.sin(
        angle
    )
    assert source == pytest.approx(wanted * np.linalg.norm(other), abs=1e-4 * np.linalg.norm(other))
    # What the usual slider makes: the talent's latent mixed with the performer's raw vector, of another space.
    if name != "hyperswap_1a_256":
        stranger = strength * unit(other) + (1 - strength) * unit(performer)
        assert unit(source) @ unit(stranger) < 0.97


def test_strength_without_a_vector_of_the_performer_is_refused(models) -> None:
    engine = load(models("inswapper_128"), "inswapper_128")
    for track in (shot(), shot(np.full((3, 512), np.nan, np.float32))):
        with pytest.raises(ConfigError, match="performer's own vector"):
            engine.prepare(talent(VECTORS), track, SWAP | {"strength": 0.8})


def test_a_talent_without_vectors_is_refused_by_the_recognisers_name(models) -> None:
    engine = load(models("inswapper_128"), "inswapper_128")
    with pytest.raises(ConfigError, match="arcface_w600k_r50") as refusal:
        engine.prepare(talent(VECTORS, "sface"), shot(), SWAP)
    assert refusal.value.where == "talent ada"


@pytest.mark.parametrize("boost", [128, 256, 384])
def test_boost_gives_the_same_face_finer(boost, models) -> None:
    new = run(load(models("inswapper_128"), "inswapper_128"), boost=boost, prefilter=False)
    times = boost // 128
    transform = times * similarity(FIVE, "arcface_128", 128)
    assert new.transform == pytest.approx(transform, abs=1e-9)
    moved = by_emap(VECTORS[0]) @ generated.colours()
    assert close(new.image, np.clip(take(plate(), transform, boost) + moved, 0, 1))
    assert new.image.shape == (boost, boost, 3) and new.matte.shape == (boost, boost)


def test_a_mask_is_woven_as_the_image_is(models) -> None:
    new = run(load(models("hyperswap_1a_256"), "hyperswap_1a_256"), boost=512)
    assert close(new.matte, np.kron(generated.oval(256), np.ones((2, 2))), 1e-6)


def test_the_low_pass_is_what_keeps_phases_from_aliasing(models) -> None:
    engine = load(models("inswapper_128"), "inswapper_128")
    # Stripes that a boosted crop of 512 still holds, and that a phase of it cannot.
    x = np.arange(880) + 0.5
    crop = np.broadcast_to(
        (0.5 + 0.2 * np.cos(2 * np.pi * x / 4.5)).astype(np.float32)[None, :, None], (880, 880, 3)
    )
    moved = by_emap(VECTORS[0]) @ generated.colours()
    inner = np.s_[100:-100, 100:-100]
    waves = [
        (run(engine, crop=crop.copy(), five=4 * FIVE, boost=512, prefilter=soft).image - moved)[inner].std()
        for soft in (False, True)
    ]
    assert waves[0] > 0.05 and waves[1] < 0.1 * waves[0]


def test_a_boost_that_does_not_divide_is_refused_when_the_shot_is_prepared(tmp_path, lay_over) -> None:
    path = generated.by_image(tmp_path / "s.onnx", 112)
    engine = load_engine("onnx", "blendswap_256", {"blendswap_256": lay_over("blendswap_256", path)})
    with pytest.raises(ConfigError, match="384") as refusal:
        engine.prepare(talent(VECTORS), shot(), SWAP | {"boost": 384})
    assert "blendswap_256" in str(refusal.value) and "256, 512, 768, 1024" in refusal.value.fix


def test_the_source_is_made_once_and_all_tiles_go_in_one_call(models) -> None:
    given = models("simswap_256")
    swapper, converter = Network(*_pair(given["simswap_256"])), Network(*_pair(given["crossface_simswap"]))
    counts = {"swapper": [], "converter": []}

    def counted(name: str, network: Network):
        class Counting:
            card = network.card
            constant = network.constant

            def __call__(self, **inputs):
                counts[name].append(max(len(value) for value in inputs.values()))
                return network(**inputs)

        return Counting()

    engine = OnnxEngine(counted("swapper", swapper), "arcface_w600k_r50", counted("converter", converter))
    state = engine.prepare(talent(VECTORS), shot(), SWAP | {"boost": 512})
    for frames in (1, 3):
        engine.swap([plate(seed=i) for i in range(frames)], state, [face(1000 + i) for i in range(frames)])
    assert counts == {"swapper": [4, 12], "converter": [1]}


def _pair(weights: Weights):
    return weights.card, weights.path


def test_frames_together_are_frames_alone(models) -> None:
    engine = load_engine("onnx", "inswapper_128", models("inswapper_128"), Device(batch=4))
    state = engine.prepare(talent(VECTORS), shot(), SWAP | {"boost": 256})
    crops = [plate(seed=i) for i in range(3)]
    contexts = [face(1001 + i, FIVE + i) for i in range(3)]
    together = engine.swap(crops, state, contexts)
    for crop, context, new in zip(crops, contexts, together, strict=True):
        (alone,) = engine.swap([crop], state, [context])
        assert np.array_equal(alone.image, new.image) and np.array_equal(alone.transform, new.transform)


def test_values_are_limited_once_and_never_cut_to_codes(models) -> None:
    engine = load(models("inswapper_128"), "inswapper_128")
    ramp = np.linspace(0.2, 0.8, 200, dtype=np.float32)
    crop = np.repeat(np.repeat(ramp[None, :, None], 220, axis=0), 3, axis=2)
    new = run(engine, crop=crop)
    moved = by_emap(VECTORS[0]) @ generated.colours()
    page = take(crop, similarity(FIVE, "arcface_128", 128), 128)
    bias = (new.image - np.clip(page + moved, 0, 1)).mean()
    assert new.image.dtype == np.float32 and abs(bias) < 1e-6  # truncation to 8 bit would cost .002


def test_what_a_network_gives_beyond_black_and_white_is_limited(tmp_path, lay_over) -> None:
    path = generated.by_image(tmp_path / "s.onnx", 112)
    engine = load_engine("onnx", "blendswap_256", {"blendswap_256": lay_over("blendswap_256", path)})
    for level in (0, 1):
        # Black is moved down by a quarter, white up.
        flat = np.full((220, 200, 3), level, np.float32)
        new = run(engine, replace(talent(VECTORS), pictures=(flat,)), crop=flat)
        assert (new.image == level).all()


def test_a_close_up_does_not_alias_in_the_crop(models) -> None:
    # A face of 4K: the crop is five times as fine as the page.
    noise = np.random.default_rng(8).normal(0.5, 0.15, (900, 800, 3)).astype(np.float32)
    five = FIVE * 4
    transform = similarity(five, "arcface_128", 128)
    step = 1 / np.hypot(*transform[0, :2])
    assert step > 3
    new = run(load(models("inswapper_128"), "inswapper_128"), crop=noise, five=five)
    inner = np.s_[20:-20, 20:-20]
    bare = cv2.warpAffine(noise, transform, (128, 128), flags=cv2.INTER_AREA)[inner]
    moved = by_emap(VECTORS[0]) @ generated.colours()
    assert (new.image - moved)[inner].std() < 1.6 * 0.15 / step < 0.6 * bare.std()


def test_the_rim_has_one_shape_at_every_size_and_ends_at_nothing() -> None:
    small, large = rim(128, 0.3), rim(512, 0.3)
    assert cv2.resize(large, (128, 128), interpolation=cv2.INTER_AREA) == pytest.approx(small, abs=2e-3)
    assert small[64, 64] > 0.999 and np.abs(small - small[::-1]).max() < 1e-6
    # Half a pixel from the edge of 512 there is next to nothing; a blurred box would leave .023 there.
    assert large[0].max() < 0.003 < 0.023
    # Half way up where FaceFusion's is, b / 2 inside the edge: 9.6 pixels of 128.
    across = np.interp(9.6, np.arange(128) + 0.5, small[64])
    assert across == pytest.approx(0.5, abs=0.02)
    assert np.array_equal(rim(64, 0.0), np.ones((64, 64), np.float32))
    with pytest.raises(ConfigError, match="feather"):
        rim(64, 1.5)


def test_cards_that_do_not_hang_together_are_refused(models, lay_over) -> None:
    given = models("simswap_256")
    swapper = Network(*_pair(given["simswap_256"]))
    with pytest.raises(ConfigError, match="needs a converter"):
        OnnxEngine(swapper, "arcface_w600k_r50")
    with pytest.raises(ConfigError, match="names no recogniser"):
        OnnxEngine(swapper, "", Network(*_pair(given["crossface_simswap"])))
    with pytest.raises(ConfigError, match="is a recogniser"):
        load_engine("onnx", "arcface_w600k_r50", given)
    with pytest.raises(ConfigError, match="does not run simswap_256"):
        load_engine("insightface", "simswap_256", given)
    with pytest.raises(ConfigError, match="was not handed over"):
        load_engine("onnx", "simswap_256", {"simswap_256": given["simswap_256"]})
    with pytest.raises(ConfigError, match="no engine 'magic'"):
        load_engine("magic")
    with pytest.raises(ModelError, match="no file"):
        load_engine("onnx", "simswap_256", given | {"simswap_256": Weights(given["simswap_256"].card, None)})
    assert engine_for(given["simswap_256"].card) == "onnx"
    assert isinstance(load(given, "simswap_256"), OnnxEngine)
    assert load(given, "simswap_256").card.name == "simswap_256"
