"""Print an image's layers and their sizes, unpacked and as a registry carries them (gzip), and the sum above its base.

python scripts/image_layers.py sql-env:latest
"""

import argparse
import gzip
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

BASE = "python:3.12-slim-bookworm"
MEGA = 1_000_000


@dataclass(frozen=True)
class Layer:
    """One layer: what made it, and its bytes unpacked and gzip-compressed."""

    made_by: str
    unpacked: int
    packed: int


def main() -> None:
    """Parse the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image", help="name or id of an image that the local Docker engine has")
    parser.add_argument("--base", default=BASE, help=f"image that it is built on (default: {BASE})")
    options = parser.parse_args()
    try:
        print("\n".join(table(above_base(options.image, options.base))))
    except subprocess.CalledProcessError as error:
        sys.exit(f"image_layers: {error.stderr.decode().strip()}")
    except (OSError, ValueError) as error:
        sys.exit(f"image_layers: {error}")


def above_base(image: str, base: str) -> list[Layer]:
    """Return the image's layers above those of its base, lowest first.

    Raises:
        ValueError: the image is not built on the base.
    """
    below, all_layers = _diff_ids(base), _diff_ids(image)
    if all_layers[: len(below)] != below:
        raise ValueError(f"{image} is not built on the {base} that this engine has")
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "image.tar"
        _docker("image", "save", "--output", str(saved), image)
        with tarfile.open(saved) as archive:
            manifest = json.loads(_read(archive, "manifest.json"))[0]
            history = json.loads(_read(archive, manifest["Config"]))["history"]
            made_by = [entry.get("created_by", "") for entry in history if not entry.get("empty_layer")]
            names = manifest["Layers"]
            made_by = [""] * (len(names) - len(made_by)) + made_by
            return [
                _layer(text, _read(archive, name))
                for name, text in list(zip(names, made_by, strict=True))[len(below) :]
            ]


def table(layers: list[Layer]) -> list[str]:
    """Return the layers as a table of Markdown, with their sum."""
    total = Layer("sum", sum(layer.unpacked for layer in layers), sum(layer.packed for layer in layers))
    rows = [f"| {_short(x.made_by)} | {x.unpacked / MEGA:.2f} | {x.packed / MEGA:.2f} |" for x in [*layers, total]]
    return ["| layer | unpacked, MB | gzip, MB |", "|---|---:|---:|", *rows]


def _layer(made_by: str, data: bytes) -> Layer:
    if data[:2] == b"\x1f\x8b":  # an engine on containerd keeps layers packed
        return Layer(made_by, len(gzip.decompress(data)), len(data))
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6, mtime=0) as file:
        file.write(data)
    return Layer(made_by, len(data), len(packed.getvalue()))


def _short(made_by: str) -> str:
    """Cut what the engine adds around an instruction; checksums say nothing to a reader."""
    text = made_by.removeprefix("/bin/sh -c ").removeprefix("#(nop) ").removeprefix("#(nop)").strip()
    words = text.replace("# buildkit", "").replace("multi:", "").split()
    words = [word for word in words if not word.startswith(("dir:", "file:")) and len(word) < 60]
    return " ".join(words)[:80].replace("|", "/") or "?"


def _diff_ids(image: str) -> list[str]:
    layers: list[str] = json.loads(_docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", image))
    return layers


def _docker(*arguments: str) -> bytes:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True).stdout


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    if member is None:
        raise ValueError(f"the saved image has no file {name}")
    return member.read()


if __name__ == "__main__":
    main()
