"""Which family a native model section means, and its quantisation, offloading and parts."""

from __future__ import annotations

from engines import families
from engines.ai_toolkit.model import components
from engines.ai_toolkit.reading.source import ABSENT, Source
from engines.families import Family
from engines.importing import NotAConfigError

_FLAGS = {
    "is_flux": "flux",
    "is_xl": "sdxl",
    "is_lumina2": "lumina2",
    "is_v3": "sd3",
    "is_v2": "sd2",
}
_OTHERS = {"sd1": "sd15", "sd2": "sd2", "sd3": "sd3"}
_NO_FAMILY = ("pixart", "pixart_sigma", "auraflow", "vega", "ssd", "cogview4", "f-lite", "example")
_QUANTISATIONS = (
    "qfloat8", "float8", "uint8", "uint7", "uint6", "uint5", "uint4", "uint3", "uint2",
    "convrot8", "convrot4", "nvfp4",
)  # fmt: skip


def read_family(source: Source) -> Family:
    """The family of the model section. Raises NotAConfigError for a model that is none."""
    arch = source.take("model.arch", None)
    flag = next((name for name in _FLAGS if source.values.get(f"model.{name}")), None)
    for name in _FLAGS:
        value = source.take(f"model.{name}")
        if value is not ABSENT and not (name == flag and arch is None):
            source.dropped(f"model.{name}", "the family says it")
    key = _key(source, str(arch) if arch else _FLAGS.get(flag or "", "sd1"))
    family = families.families()[key]
    source.engine = family.ai_toolkit
    source.set("family", key)
    if arch is None and flag is not None:
        source.translated(f"model.{flag}", "family")
    elif arch is not None and arch != key:
        source.translated("model.arch", "family")
    # The families that ai-toolkit's form does not offer are kohya_ss's here.
    source.set("engine", "ai-toolkit" if family.ai_toolkit else "auto")
    return family


def _key(source: Source, arch: str) -> str:
    if arch in _OTHERS:
        return _OTHERS[arch]
    name = source.values.get("model.name_or_path")
    adapter = source.values.get("model.assistant_lora_path")
    known = [f for f in families.families().values() if f.ai_toolkit]
    exact = families.get(arch)
    alike = [f for f in known if f.ai_toolkit and f.ai_toolkit.arch == arch.split(":")[0]]
    if ":" not in arch:
        for family in alike:
            defaults = family.ai_toolkit.defaults if family.ai_toolkit else {}
            same = (
                family.default_model == name
                and defaults.get("model.assistant_lora_path") == adapter
            )
            if same:
                return family.key
    if arch == "flux" and name == families.families()["flex1"].default_model:
        return "flex1"
    if exact is not None and exact.ai_toolkit:
        return exact.key
    if alike:
        return alike[-1].key if arch == "wan21" else alike[0].key
    if arch.split(":")[0] in _NO_FAMILY:
        raise NotAConfigError(f"It trains {arch}, which is no model family here.")
    raise NotAConfigError(
        f"It names the arch {arch!r}, which ai-toolkit does not know: it would train SD 1.x. "
        "Correct model.arch."
    )


def read_model(source: Source, family: Family) -> None:
    """The rest of the model section."""
    source.move("model.name_or_path", "base_model", None)
    if source.take("model.dtype") is not ABSENT:
        source.dropped("model.dtype", "ai-toolkit overwrites it by train.dtype")
    for part, path in components(family.ai_toolkit.arch if family.ai_toolkit else "").items():
        value = source.take_inner(path)
        if value is not None:
            source.set(f"components.{part}", value)
    _read_quantisation(source, family)
    _read_offloading(source)


def _read_quantisation(source: Source, family: Family) -> None:
    wanted = source.take("model.quantize")
    kind = source.take("model.qtype")
    name, _, adapter = str("qfloat8" if kind in (ABSENT, None, "") else kind).partition("|")
    quantised = wanted is True and name in _QUANTISATIONS
    if family.ai_toolkit and "model.quantize" in family.ai_toolkit.disabled and quantised:
        source.dropped("model.quantize", f"{family.key} is not quantised")
        quantised, wanted = False, ABSENT
    source.set("memory.quantize", name if quantised else "none")
    if wanted is not ABSENT:
        source.translated("model.quantize", "memory.quantize")
    if kind is ABSENT or (quantised and kind == name):
        return
    if wanted is True and not quantised:
        source.dropped("model.qtype", f"there is no quantisation {name} here")
    elif not quantised:
        source.dropped("model.qtype", "the model is not quantised")
    elif adapter and adapter == (family.ai_toolkit.recovery.get(name) if family.ai_toolkit else ""):
        source.translated("model.qtype", "memory.quantize")
    elif adapter and family.ai_toolkit and name not in family.ai_toolkit.recovery:
        source.translated("model.qtype", "memory.quantize")
        source.keep("model.accuracy_recovery_adapter", adapter)
    else:
        source.dropped("model.qtype", f"{name} is used with the adapter of the family")


def _read_offloading(source: Source) -> None:
    on = source.take("model.layer_offloading")
    share = source.take("model.layer_offloading_transformer_percent")
    able = source.engine is not None and "model.layer_offloading" in source.engine.extra
    value = (1.0 if share in (ABSENT, None) else share) if on is True and able else 0.0
    source.set("memory.offload", value)
    if on is not ABSENT:
        if on and not able:
            source.dropped("model.layer_offloading", "this family has no layer offloading")
        else:
            source.translated("model.layer_offloading", "memory.offload")
    if share is not ABSENT and share != value:
        source.dropped("model.layer_offloading_transformer_percent", "nothing is offloaded")
    if not value:
        path = "model.layer_offloading_text_encoder_percent"
        if source.take(path) is not ABSENT:
            source.dropped(path, "nothing is offloaded")
