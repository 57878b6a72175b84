"""What people ask in Python: the same questions, with the same answers, as on the command line.

A scenario may be given as such, as a mapping, as a YAML file or as the id of a shipped one; nothing
is the default scenario. ``set`` changes entries by dotted path, as ``--set`` does. A device is a
`SocSpec`, an id or a path. Bad input raises `SimError`, `WorkloadError` or `HardwareError`, whose
text is the sentence the command line prints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from hw_models.soc import SocSpec
    from sim.explore.candidates import Sizing
    from sim.explore.comparison import Comparison
    from sim.explore.uncertainty import DrawnDevices
    from sim.results import Result
    from sim.simulation import EngineName
    from sim.validation.judging import Validation
    from workloads.scenario import Scenario

    Asked = Scenario | Mapping[str, Any] | str | Path | None
    Device = SocSpec | str | Path | None
    Settings = Mapping[str, Any] | None
    MeasuredFiles = str | Path | Sequence[str | Path]


def simulate(
    scenario: Asked = None,
    *,
    set: Settings = None,
    device: Device = None,
    engine: EngineName = "auto",
    seed: int = 0,
    soc: Device = None,
) -> Result:
    """Run a scenario and return everything about the run.

    Parameters
    ----------
    device
        Device to run on instead of the scenario's; ``soc`` is its old name.
    engine
        ``event`` runs every step with SimPy; ``maxplus`` lets a change of rates take effect at the
        next step; ``auto`` takes max-plus between changes and SimPy for the steps across one.
    seed
        Seeds every random stream of the run.

    Raises
    ------
    ValueError
        `HardwareError`, `WorkloadError` or `SimError`, where device, model or scenario break rules.
        A run that exceeds its memory raises nothing: its result says so.
    """
    from sim.errors import SimError
    from sim.simulation import simulate as run

    if device is not None and soc is not None:
        raise SimError("simulate must be given one device. Got device= and soc=, its old name.")
    chosen = device_asked(soc if device is None else device)
    return run(asked(scenario, set), engine=engine, seed=seed, soc=chosen)


def sweep(
    scenario: Asked,
    axes: Mapping[str, Sequence[Any]],
    *,
    set: Settings = None,
    seed: int = 0,
    **design: Any,
) -> pd.DataFrame:
    """Return every combination of values as a frame: a row per point, its metrics as columns.

    Parameters
    ----------
    axes
        Dotted path to the values it takes, or to ``{"log": [low, high], "count": n}``.
    design
        What else a sweep file may say: ``design="lhs", samples=100``.

    A point that breaks a rule is a row whose ``error`` says which. A metric that is added later is
    a column, too: the points run again when it is first asked for.
    """
    from sim.explore.designs import SweepSpec, sweep_spec
    from sim.explore.sweep_frame import swept

    base = asked(scenario, set).model_dump(mode="json", exclude_defaults=True)
    spec: SweepSpec = sweep_spec({"base": base, "axes": dict(axes), "seed": seed, **design})
    return swept(spec)


def size(
    scenario: Asked,
    targets: Sequence[str],
    *,
    free: Mapping[str, Sequence[Any]] | None = None,
    set: Settings = None,
    seed: int = 0,
    minutes: int = 10,
) -> Sizing:
    """Return which settings meet targets such as ``"tokens_per_s>20"``.

    Parameters
    ----------
    free
        Dotted path to the values it may take, the preferred first; what usually may change if none.
    minutes
        Minute of decoding without a pause that targets must hold for.
    """
    from sim.explore import knobs, sizing
    from sim.explore.targets import parse_targets

    base = asked(scenario, set)
    mapping = base.model_dump(mode="json", exclude_defaults=True)
    turned = free or knobs.default_knobs(base)
    knobs.check_knobs(mapping, turned)
    return sizing.size(mapping, turned, parse_targets(targets), seed, minutes)


def compare(before: Asked, after: Asked, *, seed: int = 0) -> Comparison:
    """Return why two scenarios differ, term by term; ``print(found.sentence())`` says it."""
    from sim.explore import comparison

    return comparison.compare(asked(before), asked(after), seed)


def draw(device: Device, samples: int, *, stack: str | None = None, seed: int = 0) -> DrawnDevices:
    """Return devices whose uncertain numbers are drawn, as ``result.draws(n).devices`` holds them.

    Parameters
    ----------
    stack
        Which stack will run, since the numbers of others are not drawn; the default one if none.
    """
    from hw_models.soc import load_soc
    from sim.explore.draws import draw as drawn
    from sim.explore.uncertainty import DrawnDevices
    from workloads.scenario import DEFAULT

    soc = device_asked(device) or load_soc(DEFAULT["device"])
    name = stack or soc.default_stack
    return DrawnDevices(soc, drawn(soc, name, samples, seed), samples)


def calibrate(measured: MeasuredFiles, out: str | Path, *, device: str | None = None) -> SocSpec:
    """Fit the stacks of one device to a measured file or several; write and return the device.

    Parameters
    ----------
    device
        Id or path of the device with the priors; the one the rows name if none.
    """
    from hw_models.soc import load_soc
    from sim.calibration.files import calibrate_to

    calibrate_to(_paths(measured), device, Path(out))
    return load_soc(Path(out))


def validate(measured: MeasuredFiles = (), *, device: str | None = None) -> Validation:
    """Judge the simulator on a measured file or several; on the shipped rows if there are none."""
    from sim.validation.files import judge_files

    return judge_files(_paths(measured), device).found


def _paths(measured: MeasuredFiles) -> list[Path]:
    files = [measured] if isinstance(measured, str | Path) else measured
    return [Path(file) for file in files]


def asked(scenario: Asked, set: Settings = None) -> Scenario:
    """Return a scenario however it was given, with entries changed by dotted path."""
    from workloads.scenario import Scenario, default_with, load_scenario, with_override

    mapping: Mapping[str, Any]
    if scenario is None:
        mapping = default_with(set or {})
    elif isinstance(scenario, str | Path | Scenario):
        found = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
        if not set:
            return found
        mapping = found.model_dump(mode="json", exclude_defaults=True)
    else:
        mapping = scenario
    for path, value in (set or {}).items():
        mapping = with_override(mapping, path, value)
    return Scenario.from_mapping(mapping)


def device_asked(device: Device) -> SocSpec | None:
    """Return a device however it was given; ``None`` stays so."""
    from hw_models.soc import load_soc

    return load_soc(device) if isinstance(device, str | Path) else device
