"""THIRD_PARTY.md names every data file of the package, and the models' cards are right."""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from gqlib import data, metrics
from gqlib.features import digit_features, digits
from gqlib.models import gan, vae
from tests.packaging.tree import ROOT

THIRD_PARTY = (ROOT / "THIRD_PARTY.md").read_text(encoding="utf-8")
CARDS = ROOT / "docs" / "models"
#: What is no data: code, types, settings, templates, styles, and the licence itself.
OTHERS = {".py", ".typed", ".json", ".j2", ".html", ".css", ".conf", ""}
#: The network of each card.
NETWORKS = {"digits": digits.DigitNet, "vae": vae.VAE, "dcgan": gan.Generator}


def rows(text: str) -> list[list[str]]:
    """The cells of a page's tables, without the line under the head."""
    lines = [line.strip("| ") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split(" | ")] for line in lines if "---" not in line]


def table() -> dict[str, tuple[str, str]]:
    """Licence and maker of each file that THIRD_PARTY.md lists."""
    listed = {}
    for file, _, licence, maker in rows(THIRD_PARTY)[1:]:
        assert file.startswith("`gqlib/")
        listed[file.strip("`")] = (licence, maker)
    return listed


def card(name: str) -> dict[str, str]:
    found = (CARDS / f"{name}.md").read_text(encoding="utf-8")
    return {row[0]: " | ".join(row[1:]) for row in rows(found) if len(row) > 1}


def test_every_data_file_is_listed() -> None:
    shipped = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "gqlib").rglob("*")
        if path.is_file() and path.suffix not in OTHERS and "__pycache__" not in path.parts
    }
    assert {Path(name).suffix for name in shipped} == {".gz", ".npz"}
    assert shipped == table().keys()


def test_scripts_and_links_exist() -> None:
    makers = {maker.strip("`") for _, maker in table().values() if maker.startswith("`")}
    assert makers == {"benchmarks/make_samples.py", "gqlib/features/digits.py"}
    for page in (ROOT / "THIRD_PARTY.md", *CARDS.glob("*.md")):
        for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
    assert all((ROOT / maker).is_file() for maker in makers)


def test_licences_are_those_of_the_metadata() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    licences = {licence for licence, _ in table().values()} | {"MIT"}
    assert sorted(project["license"].split(" AND "), reverse=True) == sorted(licences, reverse=True)
    assert f"`{project['license']}`" in THIRD_PARTY
    assert "THIRD_PARTY.md" in project["license-files"]
    assert all((ROOT / name).is_file() for name in project["license-files"])


def test_every_network_has_a_card() -> None:
    assert {path.stem for path in CARDS.glob("*.md")} == NETWORKS.keys()
    listed = table()
    for name in NETWORKS:
        facts = card(name)
        licence, maker = listed.pop(facts["file"].strip("`"))
        assert (facts["licence"], facts["made by"]) == (licence, maker)
        assert f"docs/models/{name}.md" in THIRD_PARTY
    assert all("mnist/" in file for file in listed), "a card for everything that was trained"


@pytest.mark.parametrize("name", NETWORKS)
def test_a_card_s_sizes(name: str) -> None:
    facts = card(name)
    assert facts["parameters"] == parameters(NETWORKS[name]())
    assert facts["bytes"] == f"{(ROOT / facts['file'].strip('`')).stat().st_size:,}"
    if name == "dcgan":
        assert facts["parameters of the discriminator"] == parameters(gan.Discriminator())


def test_the_classifier_s_accuracy() -> None:
    facts, net = card("digits"), digits.load_digit_net()
    train, test = data.load("mnist", "train"), data.load("mnist", "test")
    used, held_out = data.mnist_split()
    new = digits.accuracy(net, train.images[held_out], train.labels[held_out])
    assert facts["accuracy, held-out training digits"] == f"{100 * new:.2f} %"
    known = digits.accuracy(net, test.images, test.labels)
    assert facts["accuracy, test digits"] == f"{100 * known:.2f} %"
    assert f"the {len(used):,} training digits" in facts["trained on"]


@pytest.mark.parametrize("name", ["vae", "dcgan"])
def test_the_samples_distance(name: str) -> None:
    facts = card(name)
    with np.load(ROOT / facts["file"].strip("`")) as file:
        images = torch.from_numpy(file["images"])
    assert facts["samples"] == f"{len(images):,}"
    real = digit_features(data.load("mnist", "test").images)
    distance = float(metrics.frechet_distance(real, digit_features(images)))
    assert facts["Fréchet distance to the 10,000 test digits"] == f"{distance:.2f}"


def test_the_recipes_are_those_of_the_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    samples, quality = module("make_samples"), module("gan_quality")
    recipe = card("vae")["training"]
    assert f"{samples.EPOCHS} epochs of {samples.BATCH} images" in recipe
    assert f"a peak of {samples.PEAK}" in recipe
    assert f"seed {samples.SEED}" in recipe
    recipe = card("dcgan")["training"]
    assert f"{quality.STEPS:,} steps of {quality.BATCH} images" in recipe
    assert f"a rate of {quality.RATE}" in recipe
    assert "betas {} and {}".format(*quality.BETAS) in recipe


def module(name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    made = importlib.util.module_from_spec(spec)
    sys.modules.pop(name, None)
    spec.loader.exec_module(made)
    return made


def parameters(network: nn.Module) -> str:
    return f"{sum(p.numel() for p in network.parameters()):,}"
