"""Pictures of concepts/cost_laws.md, calibration rows beside laws that no shipped device has on.

    python docs/time_pictures.py

writes images/time_laws.svg and prints the figures of the page; nothing is fitted to the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from power_pictures import IMAGES, MEASURED, SIMULATED, Curve, Panel, picture

import sim
from hw_models.clusters import BANDWIDTH_THREADS, drawn
from hw_models.soc import load_soc
from sim.evidence import corpus

PHONE: Final = "snapdragon_8_gen_3"
ROWS: Final = ("C940", "C942", "C944", "C946")
"""Llama-3.2-1B in fp16 by llama.cpp on 1, 4, 7 and 8 threads."""
CORE: Final = "13.6 GB/s"
SHARED: Final = 0.71
"""What one core draws, from the row of one thread; what all draw of the peak, from that of four."""
TODAY: Final = "#59636e"
EACH: Final = (1, 2, 4, 8, 12, 16, 20, 25)
NETWORKS: Final = {"clip-vit-b-16": 196, "depth-anything-s": 1369, "swin-s-224": 3136}
"""Encoders and the patches of each; Swin's attention stays in windows of 49."""
COLOURS: Final = (MEASURED, SIMULATED, "#009E73")
DEVICES: Final = ("snapdragon_8_gen_3", "snapdragon_x_elite", "sa8775p")


def threads_panel() -> Panel:
    """Return what llama.cpp draws of the DRAM by threads, and what both laws make of it."""
    rows = corpus("language", role="calibration").set_index("id").loc[list(ROWS)]
    measured = rows["tokens_per_s"] * rows["decode_bytes_per_step"] / 1e9
    phone = load_soc(PHONE)
    clusters = {
        f"units.cpu.clusters.{name}.core_bandwidth": CORE for name in phone.units["cpu"].clusters
    }
    cpu = phone.with_overrides(clusters).units["cpu"]
    threads = np.arange(1.0, 8.01, 0.1)
    most = SHARED * phone.dram.peak_bytes_per_s
    law = [float(drawn(cpu, one, most) or 0.0) / 1e9 for one in threads]
    share = np.minimum(1.0, threads / BANDWIDTH_THREADS.value)
    curves = [
        Curve(threads.tolist(), (share * measured.iloc[1]).tolist(), TODAY),
        Curve(threads.tolist(), law, SIMULATED),
        Curve(rows["threads"].tolist(), measured.tolist(), MEASURED, is_points=True),
    ]
    print(
        "GB/s by threads:",
        dict(zip(rows["threads"].tolist(), measured.round(1).tolist(), strict=True)),
    )
    return Panel("GB/s drawn by llama.cpp, 8 Gen 3", "threads", (1.0, 8.0), (0.0, 60.0), curves)


def encoder_rows() -> pd.DataFrame:
    """Return the median seconds of each encoder by device, stack and format, on NPUs."""
    rows = corpus("network", role="calibration")
    chosen = (
        rows["device"].isin(DEVICES)
        & rows["derived_network"].isin(list(NETWORKS))
        & (rows["unit"] == "npu")
        & rows["weights"].isin(["f16", "w8"])
    )
    key = ["derived_network", "device", "stack", "weights", "activations"]
    return rows[chosen].groupby(key)["inference_s"].median().reset_index()


def simulated_s(row: pd.Series, each: Sequence[int]) -> list[float]:
    """Return the seconds of a row at some operations an exponential [s]."""
    asked = {
        "device": row["device"],
        "stack": row["stack"],
        "model": row["derived_network"],
        "network": {},
        "deployment": {"weights": {"body": row["weights"]}, "activations": row["activations"]},
    }
    soc = load_soc(row["device"])
    drawn_at = (soc.with_overrides({"units.npu.vector.exponential": one}) for one in each)
    return [sim.simulate(asked, device=device)["inference_s"] for device in drawn_at]


def exponentials_panel() -> Panel:
    """Return simulated over measured seconds of encoders by operations an exponential."""
    rows = encoder_rows()
    known = [row for _, row in rows.iterrows() if row["stack"] in load_soc(row["device"]).stacks]
    ratios = {
        name: np.array(
            [
                np.array(simulated_s(row, EACH)) / row["inference_s"]
                for row in known
                if row["derived_network"] == name
            ]
        )
        for name in NETWORKS
    }
    curves = [Curve([1, 25], [1.0, 1.0], TODAY)]
    for (name, patches), colour in zip(NETWORKS.items(), COLOURS, strict=True):
        mean = np.exp(np.log(ratios[name]).mean(axis=0))
        curves.append(Curve(EACH, mean.tolist(), colour))
        print(
            name, patches, len(ratios[name]), dict(zip(EACH, mean.round(2).tolist(), strict=True))
        )
    return Panel(
        "Encoders on Hexagon, simulated / measured",
        "operations an exponential (colours: text below)",
        (1.0, 25.0),
        (0.0, 2.0),
        curves,
    )


def main() -> None:
    """Write the picture."""
    panels = [threads_panel(), exponentials_panel()]
    (IMAGES / "time_laws.svg").write_text(picture(panels), encoding="utf-8")


if __name__ == "__main__":
    main()
