"""Sections that describe the pictures."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator

from engines.sections.table import Section, about


class Dataset(Section):
    """One folder of pictures and how it is read."""

    # Empty in what an import leaves open; ``JobSpec.missing`` names it before a start.
    path: str = about(
        ..., "Folder", "Folder with the pictures and their caption files.",
        ai="datasets[].folder_path", kohya="datasets[].subsets[].image_dir",
    )  # fmt: skip
    repeats: int = about(
        1, "Repeats", "How often each picture is used in one epoch.", unit="times",
        ai="datasets[].num_repeats", kohya="datasets[].subsets[].num_repeats", ge=1, le=10_000,
    )  # fmt: skip
    caption_extension: str = about(
        ".txt", "Caption extension", "Ending of the caption file beside each picture.",
        ai="datasets[].caption_ext", kohya="datasets[].subsets[].caption_extension",
        pattern=r"^\.[A-Za-z0-9_.-]{1,32}$",
    )  # fmt: skip
    caption_dropout: float = about(
        0.0, "Caption dropout", "Share of the steps that train without the caption.", unit="share",
        ai="datasets[].caption_dropout_rate", kohya="datasets[].subsets[].caption_dropout_rate", ge=0, le=1,
    )  # fmt: skip
    shuffle_tags: bool = about(
        False, "Shuffle tags", "Shuffle the comma separated tags of a caption at every use.",
        ai="datasets[].shuffle_tokens", kohya="datasets[].subsets[].shuffle_caption",
    )  # fmt: skip
    keep_tags: int = about(
        0, "Keep tags", "So many tags at the front stay in place when tags are shuffled.", unit="tags",
        ai="datasets[].keep_tokens", kohya="datasets[].subsets[].keep_tokens", ge=0, le=255,
    )  # fmt: skip
    flip: bool = about(
        False, "Flip", "Also train on mirrored pictures; not for faces or text.",
        ai="datasets[].flip_x", kohya="datasets[].subsets[].flip_aug",
    )  # fmt: skip
    regularisation: bool = about(
        False, "Regularisation set", "Pictures of the class in general, to keep what the model knew.",
        ai="datasets[].is_reg", kohya="datasets[].subsets[].is_reg",
    )  # fmt: skip
    resolution: tuple[Annotated[int, Field(ge=16, le=8192)], ...] = about(
        (1024,), "Resolution", "Edge of the square whose area pictures are scaled to; several train at each.",
        unit="px", ai="datasets[].resolution", kohya="datasets[].resolution", min_length=1,
    )  # fmt: skip

    @field_validator("resolution", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, int | str) else value


class Buckets(Section):
    """How pictures of different shapes are grouped."""

    enabled: bool = about(
        True, "Aspect buckets", "Group pictures by shape, so that little is cropped.",
        ai="datasets[].buckets", kohya="datasets[].enable_bucket",
    )  # fmt: skip
    min: int = about(
        256, "Smallest edge", "No bucket has an edge shorter than this.", unit="px",
        kohya="datasets[].min_bucket_reso", ge=16, le=8192,
    )  # fmt: skip
    max: int = about(
        2048, "Longest edge", "No bucket has an edge longer than this.", unit="px",
        kohya="datasets[].max_bucket_reso", ge=16, le=16384,
    )  # fmt: skip
    step: int = about(
        64, "Bucket step", "Edges of buckets are multiples of this.", unit="px",
        kohya="datasets[].bucket_reso_steps", ge=1, le=512,
    )  # fmt: skip
    upscale: bool = about(
        False, "Enlarge small pictures", "Scale small pictures up to the resolution; they turn soft.",
        kohya="datasets[].bucket_no_upscale (reversed)",
    )  # fmt: skip
